/** The service worker: offline use, and the headers that threads need. */

/** When a page was last loaded again [ms]; documents with and without threads each see their own. */
const RELOADED = "fastdepth-reloaded";

/** It is not loaded again so soon after [ms]: there are browsers in which it does not help. */
const PAUSE = 60_000;

/**
 * Register the service worker. Answers false where the page is about to be loaded again, through
 * it and by that with threads.
 */
export async function isolate(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return true;
  try {
    await navigator.serviceWorker.register("./service.js");
    if (crossOriginIsolated && navigator.serviceWorker.controller) return true;
    const key = `${RELOADED} ${location.pathname}`;
    if (Date.now() - Number(sessionStorage.getItem(key)) < PAUSE) return true;
    await navigator.serviceWorker.ready;
    sessionStorage.setItem(key, String(Date.now()));
    location.reload();
    return false;
  } catch {
    return true; // private windows of some browsers have none, and the page works without
  }
}
