// A button with data-opens="id" opens that <dialog>, which closes by its buttons and by Escape;
// data-fills is written into its field of data-filled, data-hook into the one of data-filled="hook".
export function startDialogs(root) {
  root.querySelectorAll?.("[data-opens]").forEach((button) => {
    if (button.dataset.ready) return;
    button.dataset.ready = "true";
    button.addEventListener("click", () => {
      const dialog = document.getElementById(button.dataset.opens);
      const filled = [...dialog.querySelectorAll("[data-filled]")];
      for (const field of filled) field.value = button.dataset[field.dataset.filled || "fills"] ?? "";
      dialog.showModal();
      if (filled.some((field) => field.value)) dialog.querySelector("input:not([data-filled], [type=hidden])")?.focus();
    });
  });
  root.querySelectorAll?.("dialog [data-closes]").forEach((button) => {
    button.addEventListener("click", () => button.closest("dialog").close());
  });
  root.querySelectorAll?.("dialog[data-open]").forEach((dialog) => dialog.showModal());
}
