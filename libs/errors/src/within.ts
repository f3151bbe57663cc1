/**
 * Waits for a promise, but no longer than so many milliseconds.
 * @param late gives the result, or throws the error, once the time is over. The outcome of the
 *   promise is dropped after that.
 */
export async function within<T, Late>(milliseconds: number, promise: Promise<T>, late: () => Late): Promise<T | Late> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    return await Promise.race([promise, over.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
