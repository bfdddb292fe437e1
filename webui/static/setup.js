// The first boot: listens to the interfaces as soon as their screen is open, and keeps what was ticked.

const place = document.querySelector("[data-listen]");

async function listen() {
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(place.dataset.listen, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const ticked = [...place.querySelectorAll("input:checked")].map((input) => input.value);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = page.querySelector("ul.interfaces");
    if (!list) return;
    if (place.dataset.touched) {
      for (const input of list.querySelectorAll("input")) input.checked = ticked.includes(input.value);
    }
    place.querySelector("ul.interfaces").replaceWith(list);
    const networks = document.querySelector("textarea[name=networks]");
    if (networks && !networks.value.trim()) networks.value = list.dataset.networks;
  } catch {
    // The page stays as it was: its button listens without a script, too.
  } finally {
    place.removeAttribute("aria-busy");
  }
}

if (place) {
  place.addEventListener("change", () => { place.dataset.touched = "yes"; });
  const button = document.querySelector("button[name=do][value=listen]");
  button?.addEventListener("click", (event) => {
    event.preventDefault();
    listen();
  });
  if (!place.querySelector(".proof")) listen();
}
