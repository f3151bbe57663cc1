export { FixedWindows, type Window } from './fixed-windows';
