/** Where images come from: files, clips, the camera. What fails says so in a sentence. */

export class SourceError extends Error {}

/** Pixels of an image at most: the depth of more does not fit into a browser. */
const MOST_PIXELS = 5e7;

/** Decode an image file; the values of its pixels are taken as they are. */
export async function readImage(file: Blob, name: string): Promise<ImageBitmap> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new SourceError(`${name} is no image that this browser can read; give a whole JPEG, PNG or WebP.`);
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    throw new SourceError(`${name} has ${bitmap.width}x${bitmap.height} pixels; make it smaller first.`);
  }
  return bitmap;
}

/** Open a clip, which then plays. */
export async function openClip(file: Blob, name: string): Promise<HTMLVideoElement> {
  const video = quiet();
  video.loop = true;
  video.src = URL.createObjectURL(file);
  try {
    await started(video);
  } catch {
    close(video);
    throw new SourceError(`${name} is no clip that this browser can play; give MP4 (H.264) or WebM.`);
  }
  return video;
}

const CAMERA_PROBLEMS: Readonly<Record<string, string>> = {
  NotFoundError: "No camera was found; connect one, or choose an image.",
  OverconstrainedError: "No camera was found; connect one, or choose an image.",
  NotAllowedError: "The camera is not allowed; allow it in the browser's settings for this page.",
  NotReadableError: "Another program uses the camera; close it and try again.",
};

/** Open the camera; on a phone that at the back. */
export async function openCamera(): Promise<HTMLVideoElement> {
  if (!("mediaDevices" in navigator)) {
    throw new SourceError("Browsers give the camera to https:// and localhost alone; open the page there.");
  }
  const video = quiet();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } },
    });
    await started(video);
  } catch (error) {
    close(video);
    const name = error instanceof DOMException ? error.name : "";
    throw new SourceError(CAMERA_PROBLEMS[name] ?? `The camera does not start (${name || String(error)}).`);
  }
  return video;
}

function quiet(): HTMLVideoElement {
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  return video;
}

async function started(video: HTMLVideoElement): Promise<void> {
  await video.play();
  if (!video.videoWidth) throw new Error("no frames");
}

/** Free the camera or the file. */
export function close(video: HTMLVideoElement): void {
  video.pause();
  if (video.srcObject instanceof MediaStream) {
    for (const track of video.srcObject.getTracks()) track.stop();
  }
  if (video.src) {
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load(); // or it asks for more of what is gone
  }
  video.srcObject = null;
}

/** Wait for the next frame of a clip or camera. */
export function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((done) => {
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => done());
    else requestAnimationFrame(() => done());
  });
}
