// Runs before the first paint, so that a page never flashes in the other colours.
const chosen = localStorage.getItem("hookledger.theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
