// The tables of the page: sorted by DataTables, the large one in pages with filters. Without scripts they stay as they are.
const plain = { paging: false, info: false, searching: false, order: [], autoWidth: false };
const nothing = { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null };

for (const table of document.querySelectorAll("table.sortable")) {
  new DataTable(table, { ...plain, layout: nothing });
}
for (const table of document.querySelectorAll("table.filterable")) {
  const box = table.closest(".wide");
  const picks = [...table.tHead.rows[0].cells].flatMap((cell, place) => (cell.classList.contains("pick") ? [place] : []));
  new DataTable(table, {
    order: [],
    autoWidth: false,
    pageLength: 25,
    lengthMenu: [25, 100, { label: "All", value: -1 }],
    columnDefs: [{ targets: picks, columnControl: [["searchList"]] }],
    layout: { topStart: "search", topEnd: "pageLength", bottomStart: "info", bottomEnd: { paging: { buttons: 5, firstLast: false } } },
    language: { search: "Search", info: "_START_ to _END_ of _TOTAL_ lines", infoFiltered: "(of _MAX_)", lengthMenu: "_MENU_ a page" },
  });
  // The table scrolls, not the fields above it.
  const scrolled = table.closest(".dt-layout-table");
  scrolled.classList.add("wide");
  for (const name of ["role", "aria-label", "tabindex"]) {
    scrolled.setAttribute(name, box.getAttribute(name));
    box.removeAttribute(name);
  }
  box.classList.remove("wide", "tall");
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", follow);
follow();

// A link into something folded opens it.
const open = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let box = target && target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
};
window.addEventListener("hashchange", open);
open();
// On paper everything is unfolded.
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((box) => (box.open = true)));
