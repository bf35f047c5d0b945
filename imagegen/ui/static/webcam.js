// The webcam, one snapshot after another: the next is sent when the last has come back painted.
const { t, node, onLanguage } = window.imagegen;
const SIDE = 320; // pixels, longer side of what is sent
const QUALITY = 0.85;
const PATIENCE = 5000; // milliseconds without an answer, and another snapshot is sent
const video = node("video", { playsinline: "", muted: "" });
const canvas = node("canvas", {});
const painted = node("img", {});
const said = node("p", { class: "hint", role: "status" });
let stream = null;
let asking = false; // for a permission, which takes its time
let sent = 0;
let pace = null; // seconds from snapshot to painting, smoothed
let problem = "";

function snap() {
  if (!stream || !video.videoWidth) return;
  const scale = SIDE / Math.max(video.videoWidth, video.videoHeight);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  sent = performance.now();
  props.value = canvas.toDataURL("image/jpeg", QUALITY).split(",")[1];
  trigger("input");
}

async function start() {
  if (asking || stream) return;
  asking = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
    video.srcObject = stream;
    await video.play();
    problem = "";
  } catch (error) {
    problem = error.message ?? String(error); // no camera, not allowed, or a page that is not secure
    stop();
  }
  asking = false;
  draw();
  snap();
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  draw();
}

function draw() {
  painted.alt = t("webcam.painted");
  said.textContent = problem ? t("webcam.none", { problem }) : pace ? t("webcam.pace", { pictures: (1 / pace).toFixed(1) }) : "";
  element.querySelector(".webcam").replaceChildren(painted.src ? painted : "", said,
    node("div", { class: "buttons" }, node("button", { type: "button", onclick: stream ? stop : start }, t(stream ? "webcam.stop" : "webcam.start"))));
}

async function receive() {
  const url = props.value?.painted;
  if (!url || !stream) return;
  const seconds = (performance.now() - sent) / 1000;
  pace = pace ? 0.8 * pace + 0.2 * seconds : seconds;
  painted.src = url;
  await painted.decode();
  draw();
  if (element.checkVisibility()) snap();
  else stop(); // nobody looks
}

setInterval(() => { if (performance.now() - sent > PATIENCE) snap(); }, PATIENCE / 5);
watch("value", receive);
onLanguage(draw);
draw();
