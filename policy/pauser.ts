/** How long others' requests wait at most for work that does nothing but compute. */
const BUSY_MS = 10;

/** To be awaited between pieces of work: lets others in between once enough of it was done. */
export function pauser(): () => Promise<void> | void {
  let since = performance.now();
  return () => {
    if (performance.now() - since < BUSY_MS) return;
    return new Promise((resolve) =>
      setTimeout(() => {
        since = performance.now();
        resolve();
      })
    );
  };
}
