// The table of costs, from the page's figures and what is typed in.
"use strict";

const money = (value, counted = true) =>
  value === null
    ? counted
      ? "fill in above"
      : "tokens not known"
    : `$${value.toLocaleString("en", { maximumSignificantDigits: 3 })}`;

// The product, null if a factor is not known.
const times = (...factors) =>
  factors.includes(null) ? null : factors.reduce((a, b) => a * b, 1);

function typed(form, name) {
  const value = form.elements[name].value;
  return value === "" ? null : Number(value);
}

function costLine(one, fields) {
  const hour = times(fields.hour, 1 / 3600);
  const counted = one.prompt_tokens !== null && one.completion_tokens !== null;
  const priced =
    !counted || fields.priceIn === null || fields.priceOut === null
      ? one.cost
      : (one.prompt_tokens * fields.priceIn +
          one.completion_tokens * fields.priceOut) /
        1e6;
  const asked = one.answers !== null;
  const training = times(one.cpu_seconds, hour);
  const student = times(one.seconds, hour);
  const teacher = asked ? times(priced, 1 / one.answers) : null;
  const spent = [asked ? priced : 0, training];
  const saved =
    student === null || teacher === null ? null : teacher - student;
  let after = "fill in above";
  if (!asked) after = "no teacher";
  else if (priced === null && !counted) after = "tokens not known";
  else if (saved !== null && !spent.includes(null)) {
    const queries = Math.ceil((spent[0] + spent[1]) / saved);
    const days = fields.queries ? queries / fields.queries : null;
    after =
      saved <= 0
        ? "never: the teacher is cheaper"
        : `${queries.toLocaleString("en")} queries` +
          (days === null ? "" : ` (${days.toFixed(1)} days)`);
  }
  const many = (value) => (value === null ? null : value * 1000);
  const daily = (value) => times(value, fields.queries);
  return [
    one.name,
    one.accuracy.toFixed(1),
    asked ? money(priced, counted) : "none",
    money(training),
    money(many(student)),
    asked ? money(many(teacher), counted) : "none",
    money(daily(student)),
    asked ? money(daily(teacher), counted) : "none",
    after,
  ];
}

function drawCosts() {
  const form = document.getElementById("cost-fields");
  const names = ["priceIn", "priceOut", "hour", "queries"];
  const fields = Object.fromEntries(names.map((n) => [n, typed(form, n)]));
  const lines = DATA.costs.map((one) => {
    const line = document.createElement("tr");
    costLine(one, fields).forEach((value, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      cell.textContent = value;
      line.append(cell);
    });
    return line;
  });
  document.querySelector("#cost-table tbody").replaceChildren(...lines);
}

if (document.getElementById("cost-fields")) {
  const hour = document.getElementById("cost-fields").elements.hour;
  if (DATA.cpuHour !== null) hour.value = DATA.cpuHour;
  document.getElementById("cost-fields").addEventListener("input", drawCosts);
  drawCosts();
}
