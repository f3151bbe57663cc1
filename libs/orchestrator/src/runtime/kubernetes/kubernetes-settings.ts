/** What the operator says of the cluster. */
export interface KubernetesSettings {
  /** A file; empty: the service account of the pod in which this process runs. */
  readonly kubeconfig: string;
  /** Of the pods; empty: that of the kubeconfig or the service account. */
  readonly namespace: string;
  /** Of persistent workspaces; empty: the cluster's default. */
  readonly storageClass: string;
  /** Whether no sandbox may be made if a pod reaches a network. */
  readonly requireIsolation: boolean;
}
