/**
 * The time from before a fault's first effect to after its last one, in milliseconds of
 * `performance`.
 */
export interface Interval {
  readonly from: number;
  to: number;
}

export function overlaps(intervals: readonly Interval[], from: number, to: number): boolean {
  return intervals.some((interval) => interval.from <= to && interval.to >= from);
}
