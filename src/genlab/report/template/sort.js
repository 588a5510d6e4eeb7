// Sorts a table by the column whose heading is clicked; again: the other way round. Empty fields stay last.
document.querySelectorAll("table.sortable").forEach(table => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const field = row => row.cells[column].dataset.value;
    const compare = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      const [x, y] = [Number(a), Number(b)];
      const order = isNaN(x) || isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
      return up ? order : -order;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort((a, b) => compare(field(a), field(b))));
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  }));
});
// A link to a run opens its panel.
const open = () => {
  const panel = location.hash && document.getElementById(location.hash.slice(1));
  if (panel && panel.matches("details")) { panel.open = true; panel.scrollIntoView(); }
};
addEventListener("hashchange", open);
open();
