export { COMMAND_POLICY, createCommandPolicy, describePolicy, type CommandPolicy } from './command-policy';
export { chooseShell, SHELLS, type AgentShell, type WantedShell } from './shell-choice';
