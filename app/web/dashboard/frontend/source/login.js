// A link that opens once carries its secret behind the `#`, which browsers send to nobody: it is
// put into the form, taken out of the address, and sent once.
function signIn() {
  const form = document.querySelector("[data-link-form]");
  const secret = location.hash.slice(1);
  if (!form || !secret) return;
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.token.value = secret;
  form.hidden = false;
  form.requestSubmit();
}

signIn();
// The link may be opened in a tab that shows this page already.
addEventListener("hashchange", signIn);
