export const JSON_TYPE = 'application/json';
/** Bytes as they are. */
export const BYTES = 'application/octet-stream';
