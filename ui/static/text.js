// Model text as Markdown that grows, and what the other scripts share.
// A text is data: it reaches the document as text nodes, or through marked without HTML, DOMPurify and KaTeX.
"use strict";
window.z1 = (() => {
  const make = (tag, className = "", text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const put = (element, text) => element.textContent !== text && (element.textContent = text);
  const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

  // Markdown. A single $ is a price. What stands in < > is text. A * between letters, digits or brackets multiplies. A box
  // without words in it is a formula wherever it stands.
  const BLOCK = /^ {0,3}(?:\$\$((?:\\[^]|[^\\$]){1,4000}?)\$\$|\\\[((?:(?!\\\])[^]){1,4000}?)\\\])[ \t]*(?:\n+|$)/;
  const INLINE = /^(?:\$\$((?:\\[^]|[^\\$]){1,4000}?)\$\$|\\\[((?:(?!\\\]|\n\n)[^]){1,4000}?)\\\]|\\\(((?:(?!\\\)|\n\n)[^]){1,4000}?)\\\)|(\\boxed\{(?:[^{}\n\\A-Za-z]|[A-Za-z](?![A-Za-z])|\\[A-Za-z]+(?![A-Za-z])|\{[^{}\n]*\}){1,200}\}))/;
  const formula = (name, level, start, rule) => ({
    name, level,
    start: (source) => { const at = source.search(start); return at < 0 ? undefined : at; },
    tokenizer(source) {
      const [raw, dollars, square, round, box] = rule.exec(source) ?? [];
      return raw && { type: name, raw, text: dollars ?? square ?? round ?? box, display: (round ?? box) === undefined };
    },
    renderer: ({ text, display }) => `<span data-formula="${escape(text)}"${display ? ' data-display="1"' : ""}></span>`,
  });
  const usual = marked.Tokenizer.prototype;
  const markdown = new marked.Marked({ gfm: true, breaks: true });
  markdown.use({
    extensions: [formula("formulas", "block", /^ {0,3}(?:\$\$|\\\[)/m, BLOCK), formula("formula", "inline", /\$\$|\\[([]|\\boxed\{/, INLINE)],
    tokenizer: {
      html: () => undefined,
      tag: () => undefined,
      def: () => undefined,
      del(source, ...rest) { return source.startsWith("~~") ? usual.del.call(this, source, ...rest) : undefined; },
      emStrong(source, masked, before = "") {
        if (source[0] !== "*") return usual.emStrong.call(this, source, masked, before);
        const [stars] = /^\*+/.exec(source), edges = stars.length === 1 ? [/[A-Za-z0-9)\]]/, /[A-Za-z0-9([]/] : [/[A-Za-z0-9]/, /[A-Za-z0-9]/];
        const token = edges[0].test(before) ? undefined : usual.emStrong.call(this, source, masked, before);
        const multiplies = token ? edges[1].test(source[token.raw.length] ?? "") : edges[0].test(before);
        return multiplies ? { type: "text", raw: stars, text: stars, escaped: false } : token;
      },
    },
    renderer: {
      image: ({ raw }) => escape(raw),
      checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
      link({ href, raw, tokens }) {
        if (!/^(https?:\/\/|mailto:)/i.test(href)) return escape(raw);
        return `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer">${this.parser.parseInline(tokens)}</a>`;
      },
    },
  });
  const ALLOWED = {
    ALLOWED_TAGS: "p br strong em del code pre a ul ol li blockquote h1 h2 h3 h4 h5 h6 hr table thead tbody tr th td span".split(" "),
    ALLOWED_ATTR: ["href", "target", "rel", "align", "start"],
    RETURN_DOM_FRAGMENT: true,
  };
  const MATH = { throwOnError: false, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200, errorColor: "currentColor" };
  const drawn = (blocks) => {
    const fragment = DOMPurify.sanitize(markdown.parser(blocks), ALLOWED);
    for (const place of fragment.querySelectorAll("[data-formula]")) {
      const { formula: source, display } = place.dataset;
      try { katex.render(source, place, { ...MATH, displayMode: Boolean(display) }); } catch { place.textContent = source; }
    }
    for (const code of fragment.querySelectorAll("pre")) {
      const button = code.appendChild(make("button", "z1-copy-code", "Copy"));
      button.type = "button";
    }
    for (const table of fragment.querySelectorAll("table")) {
      const frame = make("div", "table-wrap");
      table.replaceWith(frame);
      frame.append(table);
    }
    return fragment;
  };

  // A text that grows. Blocks that are finished are drawn once; the last one, which may still change, at every update.
  class Text {
    constructor(element) {
      this.element = element;
      element.classList.add("md");
      this.empty();
    }
    empty() {
      this.shown = "";
      this.done = 0;
      this.element.replaceChildren(this.last = make("div"));
    }
    show(given) {
      const text = given.replace(/\r\n?/g, "\n");
      if (text === this.shown) return;
      if (!text.startsWith(this.shown)) this.empty();
      this.shown = text;
      const blocks = markdown.lexer(text.slice(this.done));
      const grows = Math.max(blocks.findLastIndex((block) => block.type !== "space"), 0);
      const finished = blocks.slice(0, grows);
      if (finished.length) this.last.before(drawn(finished));
      this.done += finished.reduce((length, block) => length + block.raw.length, 0);
      this.last.replaceChildren(drawn(blocks.slice(grows)));
    }
  }

  // Without https there is no navigator.clipboard, except on this very machine.
  const write = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.body.appendChild(make("textarea"));
    field.value = text;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("the browser does not copy");
  };
  const copy = (text) => write(text).then(() => "Copied", () => "Copying is blocked");

  return { Text, make, put, copy };
})();
