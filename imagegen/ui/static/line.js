// Says what place a waiting request has in the server's queue, and that the queue is full. Gradio's own status covers
// the outputs, and of a full queue it speaks English only; so its stream of messages is read here on its way to Gradio.
(() => {
  const { t, node, onLanguage } = window.imagegen;
  const PATIENT = 700; // milliseconds in line, after which a visitor is told
  const waiting = new Map(); // event -> its place and since when it waits
  const said = node("div", { class: "in-line", role: "status", hidden: "" });

  function draw() {
    const late = [...waiting.values()].filter(({ since }) => performance.now() - since >= PATIENT);
    said.hidden = !late.length;
    said.textContent = late.length ? t("line.place", { place: Math.min(...late.map(({ place }) => place)) }) : "";
    if (late.length && !said.isConnected) document.body.append(said);
  }

  function take(message, event, rank) {
    if (message === "estimation") {
      waiting.set(event, { place: Number(rank) + 1, since: waiting.get(event)?.since ?? performance.now() });
      setTimeout(draw, PATIENT + 10);
    } else waiting.delete(event);
    draw();
  }

  // Messages pass as they are; only their first words are looked at, since pictures may follow.
  function overheard(answer) {
    const decoder = new TextDecoder();
    let rest = "";
    const over = () => { waiting.clear(); draw(); };
    const reader = new TransformStream({
      transform(chunk, out) {
        out.enqueue(chunk);
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const found = line.match(/^data: \{"msg":"(\w+)","event_id":"(\w+)"(?:,"rank":(\d+))?/);
          if (found) take(...found.slice(1));
        }
      },
      flush: over,
      cancel: over,
    });
    return new Response(answer.body.pipeThrough(reader), { status: answer.status, headers: answer.headers });
  }

  const ask = window.fetch;
  window.fetch = async (what, options) => {
    const answer = await ask(what, options);
    const path = new URL(what.url ?? what, location.href).pathname;
    if (path.endsWith("/queue/data") && answer.ok) return overheard(answer);
    // of any other refusal Gradio shows the words
    if (path.endsWith("/queue/join") && answer.status === 503) return new Response(await answer.text(), { status: 429 });
    return answer;
  };
  onLanguage(draw);
})();
