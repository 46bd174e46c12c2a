"use strict";
(() => {
  const details = JSON.parse(document.getElementById("data").textContent);
  const dashboard = document.getElementById("dashboard"), detail = document.getElementById("detail");
  const filter = document.getElementById("filter"), shown = document.getElementById("shown"), root = document.documentElement;
  const rows = [...dashboard.querySelectorAll("tbody tr")], boxes = [...document.querySelectorAll(".show")];
  const texts = rows.map(row => row.textContent.toLowerCase() + " " + details[row.dataset.file].slice(0, 200000).toLowerCase());
  let current = -1, finding = -1;

  const visible = () => rows.filter(row => !row.hidden);

  function apply() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = new Set(boxes.filter(box => box.checked).map(box => box.value));
    rows.forEach((row, at) => { row.hidden = !wanted.has(row.dataset.outcome) || !words.every(word => texts[at].includes(word)); });
    shown.textContent = `${visible().length} of ${rows.length} files`;
    current = -1;
  }

  function go(step) {
    const among = visible();
    if (!among.length) return;
    rows.forEach(row => row.classList.remove("current"));
    current = Math.max(0, Math.min(among.length - 1, current + step));
    among[current].classList.add("current");
    among[current].querySelector(".open").focus();
  }

  function open(number, push = true) {
    detail.innerHTML = details[number];
    detail.hidden = false;
    dashboard.hidden = true;
    finding = -1;
    if (push) location.hash = `file-${number}`;
    window.scrollTo(0, 0);
    detail.querySelector(".back").focus();
  }

  function close() {
    detail.hidden = true;
    detail.textContent = "";
    dashboard.hidden = false;
    history.replaceState(null, "", location.pathname + location.search);
    const row = visible()[Math.max(0, current)];
    if (row) row.querySelector(".open").focus();
  }

  function mark(line, name) {
    detail.querySelectorAll(`.pane li.${name}`).forEach(one => one.classList.remove(name));
    if (!line) return [];
    const other = detail.querySelector(line.closest(".pane").classList.contains("raw") ? ".pane.new" : ".pane.raw");
    const twins = other ? line.dataset.twins.split(" ").filter(Boolean).map(n => other.querySelector(`li[data-line="${n}"]`)).filter(Boolean) : [];
    [line, ...twins].forEach(one => one.classList.add(name));
    return twins;
  }

  function nextFinding(step) {
    const all = [...detail.querySelectorAll(".finding")];
    if (!all.length) return;
    finding = (finding + step + all.length) % all.length;
    all[finding].scrollIntoView({block: "center"});
    all[finding].focus();
  }

  document.addEventListener("click", event => {
    const target = event.target;
    if (target.matches(".open")) { current = visible().indexOf(target.closest("tr")); open(target.closest("tr").dataset.file); }
    else if (target.matches(".back")) close();
    else if (target.matches("[data-filter]")) { filter.value = target.dataset.filter; apply(); filter.focus(); }
    else if (target.id === "theme") theme();
    else { const line = target.closest(".pane li"); if (line) { const [twin] = mark(line, "chosen"); if (twin) twin.scrollIntoView({block: "center"}); } }
  });
  document.addEventListener("mouseover", event => { const line = event.target.closest && event.target.closest(".pane li"); if (line && !line.classList.contains("twin")) mark(line, "twin"); });
  filter.addEventListener("input", apply);
  boxes.forEach(box => box.addEventListener("change", apply));

  function theme() {
    const dark = root.classList.contains("dark") || (!root.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
    root.classList.toggle("dark", !dark);
    root.classList.toggle("light", dark);
  }

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === filter) { if (event.key === "Escape") { filter.value = ""; apply(); filter.blur(); } else if (event.key === "Enter") { event.preventDefault(); go(1); } return; }
    if (event.key === "/") { event.preventDefault(); if (!detail.hidden) close(); filter.focus(); }
    else if (event.key === "t") theme();
    else if (event.key === "Escape" && !detail.hidden) close();
    else if (event.key === "j" || event.key === "k") { const step = event.key === "j" ? 1 : -1; if (detail.hidden) go(step); else nextFinding(step); }
  });
  window.addEventListener("hashchange", () => { const m = /^#file-(\d+)$/.exec(location.hash); if (m && details[m[1]] && detail.hidden) open(m[1], false); else if (!m && !detail.hidden) close(); });

  apply();
  const start = /^#file-(\d+)$/.exec(location.hash);
  if (start && details[start[1]]) open(start[1], false);
  else if (rows.length === 1) open(rows[0].dataset.file, false);
})();
