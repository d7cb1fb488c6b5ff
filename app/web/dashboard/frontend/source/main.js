import "./vendor.js";
import { showTimes } from "./times.js";
import { showZones } from "./zones.js";
import { startThemes } from "./themes.js";
import { startDialogs } from "./dialogs.js";
import { startCopying } from "./copying.js";

const start = [showTimes, showZones, startCopying, startDialogs];

startThemes();
start.forEach((each) => each(document));
// On a phone the menu is wider than the screen: where one is should be seen.
document.querySelector(".side nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
document.addEventListener("htmx:load", (event) => start.forEach((each) => each(event.target)));

// A draft that was sent to be saved is forgotten once the server says that it did; a refusal, or a
// session that ended meanwhile, says nothing good.
const saved = sessionStorage.getItem("hookledger.saved");
sessionStorage.removeItem("hookledger.saved");
if (saved && document.querySelector("#notice .good") && !document.querySelector("[data-editor]")) localStorage.removeItem(saved);

// What nobody looks at need not be asked for; it is again as soon as somebody does.
document.addEventListener("htmx:beforeRequest", (event) => {
  const polled = event.target.getAttribute("hx-trigger")?.startsWith("every");
  if (polled && document.hidden) event.preventDefault();
});

// A notice is for one answer: the next request begins with none.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.isError && event.target.id !== "notice" && !event.target.matches("[data-polled]"))
    document.getElementById("notice")?.replaceChildren();
});
document.addEventListener("htmx:sendError", () => {
  const notice = document.getElementById("notice");
  if (!notice || notice.querySelector("[data-offline]")) return;
  const said = document.createElement("p");
  said.className = "callout bad";
  said.dataset.offline = "";
  said.textContent = "The server does not answer. What you see may be old; it is asked again by itself.";
  notice.replaceChildren(said);
});
document.addEventListener("htmx:afterOnLoad", () => document.querySelector("[data-offline]")?.remove());
