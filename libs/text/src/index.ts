export { firstCharacters, lastCharacters } from './whole-characters';
export { continuationPrefix, incompleteSuffix } from './utf8-boundaries';
export { isObject } from './plain-object';
export { decodeBase64 } from './strict-base64';
