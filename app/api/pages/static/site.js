// Shows the answer to "find my hub" in place. Without this script the form asks the server for the same page with the
// answer in it; whenever something unexpected happens here, that is what we fall back to.
"use strict";

(() => {
  const MOST_SHOWN = 10;
  const form = document.getElementById("find-form");
  const input = document.getElementById("q");
  const button = form.querySelector("button");
  const error = document.getElementById("q-error");
  const status = document.getElementById("find-status");
  const result = document.getElementById("find-result");
  let running = null;

  const text = (key) => document.getElementById("find-texts").content.querySelector(`[data-text="${key}"]`).textContent;
  const slot = (node, name) => node.querySelector(`[data-slot="${name}"]`);
  const blank = (id) => document.getElementById(id).content.cloneNode(true);
  const paragraph = (words, style) => {
    const made = document.createElement("p");
    made.textContent = words;
    made.className = style;
    return made;
  };

  function showError(key) {
    slot(error, "message").textContent = key ? text(key) : "";
    error.hidden = !key;
    if (key) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", "q-hint q-error");
      result.replaceChildren();
      status.textContent = "";
      input.focus(); // a screen reader then reads the field with its error
      form.scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-invalid");
      input.setAttribute("aria-describedby", "q-hint");
    }
  }

  // On a small screen the answer may start below the edge: bring the question to the top, with the answer under it.
  function bringIntoView() {
    if (result.getBoundingClientRect().top > window.innerHeight * 0.6) form.parentElement.scrollIntoView();
  }

  function fillHub(made, hub) {
    const inList = document.getElementById(`hub-${hub.slug}`);
    const link = slot(made, "hub-link");
    link.textContent = hub.name;
    link.href = hub.website || `#hub-${hub.slug}`;
    const basis = inList ? inList.dataset.basis : "";
    if (basis !== "advice-report") slot(made, "proposed").remove();
    if (basis !== "demonstration") slot(made, "example").remove();
    return made;
  }

  function municipality(location, open) {
    const made = blank("found-form");
    slot(made, "municipality").textContent = location.municipality.name;
    const empty = slot(made, "hub");
    empty.after(...location.hubs.map((hub) => fillHub(empty.cloneNode(true), hub)));
    empty.remove();
    if (location.hubs.length > 0) slot(made, "no-hub").remove();
    for (const row of made.querySelectorAll("[data-scheme]")) {
      const names = location.regions
        .filter((region) => region.scheme === row.dataset.scheme)
        .map((region) => region.name + (region.share < 1 ? ` (${text("partly")})` : ""));
      row.querySelector("dd").textContent = names.join(", ");
      if (names.length === 0) row.remove();
    }
    made.querySelector("details").open = open;
    return made;
  }

  function show(asked, locations) {
    showError(null);
    if (locations.length === 0) {
      const made = blank("nothing-form");
      slot(made, "text").textContent = asked;
      result.replaceChildren(made);
      status.textContent = `${text("nothing")} ${asked}`;
      return;
    }
    const count = locations.length === 1 ? text("one") : `${locations.length} ${text("many")}`;
    const shown = locations.slice(0, MOST_SHOWN).map((location) => municipality(location, locations.length === 1));
    result.replaceChildren(...shown);
    if (locations.length > 1) result.prepend(paragraph(count, "count"));
    if (locations.length > MOST_SHOWN) result.append(paragraph(text("more"), ""));
    const said = locations.slice(0, MOST_SHOWN).map((location) =>
      [location.municipality.name, ...location.hubs.map((hub) => hub.name)].join(", "));
    status.textContent = `${count}. ${said.join(". ")}`;
  }

  // Only the four digits of a postcode decide, so the letters, which say more about a person, stay here.
  function address(asked) {
    const postcode = /^([1-9]\d{3})\s*([a-z]{2})?$/i.exec(asked);
    const key = postcode || /^\d/.test(asked) ? "postcode" : "q";
    return `/v1/locations?${new URLSearchParams({ [key]: postcode ? postcode[1] : asked })}`;
  }

  async function find(asked) {
    running?.abort();
    const mine = (running = new AbortController());
    button.disabled = true;
    status.textContent = text("busy");
    try {
      const answer = await fetch(address(asked), {
        headers: { Accept: "application/json", "Accept-Language": document.documentElement.lang },
        signal: mine.signal,
      });
      if (answer.status === 400) {
        showError("invalid");
      } else if (answer.ok) {
        show(asked, (await answer.json()).items);
        bringIntoView();
      } else {
        form.submit();
      }
    } catch (problem) {
      if (problem.name !== "AbortError") form.submit();
    } finally {
      if (running === mine) button.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = input.value.trim().replace(/\s+/g, " ");
    if (asked) find(asked);
    else showError("empty");
  });
})();
