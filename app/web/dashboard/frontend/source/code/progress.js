// A run may take its time: packages are installed first, and a hook may wait for others.
const SOON = 300;

export function startProgress(form) {
  const result = document.getElementById("result");
  const said = Object.assign(document.createElement("p"), { className: "muted running", hidden: true });
  said.setAttribute("role", "status");
  result.before(said);
  let ticking;
  const stop = () => { clearInterval(ticking); said.hidden = true; result.removeAttribute("aria-busy"); };
  form.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.target !== result) return;
    const began = Date.now();
    const seconds = Object.assign(document.createElement("span"), { ariaHidden: "true" });
    said.replaceChildren("Running\u2026 ", seconds);
    result.setAttribute("aria-busy", "true");
    clearInterval(ticking);
    ticking = setInterval(() => {
      said.hidden = false;
      seconds.textContent = `${Math.round((Date.now() - began) / 1000)} s`;
    }, SOON);
  });
  form.addEventListener("htmx:afterRequest", ({ detail }) => { if (detail.target === result) stop(); });
}
