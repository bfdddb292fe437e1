// Keeps a page fresh that stays open: "3 minutes ago" grows older, and what the stream tells is put in its place.

const language = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const UNITS = [["second", 1, 60], ["minute", 60, 60], ["hour", 3600, 24]];

function grow() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-exact])")) {
    const ago = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const unit = UNITS.find(([, length, most]) => Math.abs(ago) < length * most);
    if (unit && Math.abs(ago) >= 5) time.textContent = relative.format(Math.round(ago / unit[1]), unit[0]);
  }
}

// A menu that lies over the page closes with Escape, and gives the keyboard back.
document.addEventListener("keydown", (event) => {
  const drawer = document.querySelector("details.drawer[open]");
  if (event.key === "Escape" && drawer) {
    drawer.open = false;
    drawer.querySelector("summary").focus();
  }
});

for (const print of document.querySelectorAll("[data-print]")) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}

setInterval(grow, 15_000);
