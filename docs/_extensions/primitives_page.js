// Shows the cards whose text contains what is typed; groups without a card disappear.
(() => {
  const bar = document.querySelector(".filter"), input = bar.querySelector("input"), status = bar.querySelector("span");
  const cards = [...document.querySelectorAll(".primitive")];
  const words = cards.map((card) => [...card.querySelectorAll("h1, h2, h3, h4, p")].map((x) => x.textContent).join(" ").toLowerCase());
  const filter = () => {
    const wanted = input.value.trim().toLowerCase();
    cards.forEach((card, i) => { card.hidden = !words[i].includes(wanted); });
    for (const group of document.querySelectorAll(".primitives")) group.hidden = !group.querySelector(".primitive:not([hidden])");
    status.textContent = wanted ? `${cards.filter((card) => !card.hidden).length} of ${cards.length}` : "";
  };
  input.addEventListener("input", filter);
  bar.hidden = false;
})();
