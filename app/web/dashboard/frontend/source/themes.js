// The button goes round: as the system says, light, dark.
const KEY = "hookledger.theme";
const order = ["auto", "light", "dark"];
const said = { auto: "as the system", light: "light", dark: "dark" };

export function startThemes() {
  const button = document.querySelector("[data-theme-button]");
  if (!button) return;
  const label = button.querySelector("[data-theme-name]");
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    label.textContent = `Colours: ${said[theme]}`;
    button.dataset.themeButton = theme;
  };
  show(localStorage.getItem(KEY) ?? "auto");
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(button.dataset.themeButton) + 1) % order.length];
    localStorage.setItem(KEY, next);
    show(next);
  });
}
