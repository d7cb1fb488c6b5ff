import { startDays } from "./history/days.js";
import { startSliders } from "./history/slider.js";
import { checkProofs } from "./history/proof.js";

function start(root) {
  startDays(root);
  startSliders(root);
  checkProofs(root);
}

start(document);
document.addEventListener("htmx:load", ({ target }) => start(target));
