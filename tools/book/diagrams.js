// Renders the Mermaid code blocks of a page as diagrams.
for (const block of document.querySelectorAll("code.language-mermaid")) {
    const drawing = document.createElement("pre");
    drawing.className = "mermaid";
    drawing.textContent = block.textContent;
    block.parentElement.replaceWith(drawing);
}
const isDark = ["ayu", "coal", "navy"].some((theme) => document.documentElement.classList.contains(theme));
mermaid.initialize({ startOnLoad: false, theme: isDark ? "dark" : "default" });
mermaid.run();
