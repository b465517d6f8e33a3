// The viewer: wheel zooms at the pointer, dragging moves, arrows go through the pictures of one case and keep
// the place, Escape closes.
(() => {
  const viewer = document.getElementById("viewer"), image = viewer.querySelector("img"), words = viewer.querySelector("p");
  let tiles = [], index = 0, scale = 1, x = 0, y = 0, drag = null, back = null;
  const place = () => { image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`; };
  const fit = () => {
    scale = Math.min(innerWidth / image.naturalWidth, (innerHeight - 50) / image.naturalHeight);
    x = (innerWidth - image.naturalWidth * scale) / 2; y = (innerHeight - 50 - image.naturalHeight * scale) / 2; place();
  };
  const show = (i) => {
    index = (i + tiles.length) % tiles.length;
    const source = tiles[index].querySelector("img");
    image.src = source.src; image.alt = source.alt;
    words.textContent = `${source.alt}  ·  ${index + 1} of ${tiles.length}  ·  ← → other methods, wheel zooms, 0 fits, Esc closes`;
  };
  const close = () => { viewer.classList.remove("open"); if (back) back.focus(); };
  document.querySelectorAll(".tiles button").forEach((button) => button.addEventListener("click", async () => {
    back = button; tiles = [...button.closest(".tiles").querySelectorAll("button")];
    show(tiles.indexOf(button)); viewer.classList.add("open"); viewer.focus(); await image.decode(); fit();
  }));
  viewer.addEventListener("wheel", (event) => {
    event.preventDefault();
    const next = Math.min(40, Math.max(0.1, scale * Math.exp(-event.deltaY / 400)));
    x = event.clientX - (event.clientX - x) * next / scale; y = event.clientY - (event.clientY - y) * next / scale;
    scale = next; place();
  }, { passive: false });
  viewer.addEventListener("pointerdown", (event) => { event.preventDefault(); drag = { x: event.clientX - x, y: event.clientY - y, moved: false }; });
  viewer.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.moved ||= Math.hypot(event.clientX - drag.x - x, event.clientY - drag.y - y) > 3;
    if (drag.moved) { x = event.clientX - drag.x; y = event.clientY - drag.y; place(); }
  });
  viewer.addEventListener("pointerup", (event) => { if (drag && !drag.moved && event.target === viewer) close(); drag = null; });
  document.addEventListener("keydown", (event) => {
    if (!viewer.classList.contains("open")) return;
    if (event.key === "Escape") close();
    if (event.key === "ArrowRight") show(index + 1);
    if (event.key === "ArrowLeft") show(index - 1);
    if (event.key === "0") fit();
  });
})();
