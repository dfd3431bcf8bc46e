/** The service worker: offline use, and the headers that threads need. */

const RELOADED = "fastdepth-reloaded";

/**
 * Register the service worker. Answers false where the page is about to be loaded again, through
 * it and by that with threads; it is so once at most.
 */
export async function isolate(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return true;
  try {
    await navigator.serviceWorker.register("./service.js");
    if (crossOriginIsolated && navigator.serviceWorker.controller) {
      sessionStorage.removeItem(RELOADED);
      return true;
    }
    if (sessionStorage.getItem(RELOADED)) return true;
    await navigator.serviceWorker.ready;
    sessionStorage.setItem(RELOADED, "yes");
    location.reload();
    return false;
  } catch {
    return true; // private windows of some browsers have none, and the page works without
  }
}
