/**
 * Small tree of elements, patched into the page in place: what did not change is not touched, so focus, scroll
 * position and selection stay and nothing flickers. Text is always set as text, never as markup.
 */

export type Child = VNode | string | null | false | undefined;
type Attribute = string | number | boolean | null | undefined | (() => void) | ((event: Event) => void);

export interface VNode {
  tag: string;
  attributes: Record<string, Attribute>;
  children: (VNode | string)[];
}

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "title", "polygon", "defs", "pattern"]);

/** An element. `key` keeps its identity among its siblings; `on…` attributes are listeners; false and null are left out. */
export function h(tag: string, attributes: Record<string, Attribute> = {}, ...children: (Child | Child[])[]): VNode {
  const kept = children.flat().filter((c): c is VNode | string => c !== null && c !== false && c !== undefined && c !== "");
  return { tag, attributes, children: kept };
}

type Known = Node & { vKey?: string; vAttributes?: Record<string, Attribute> };

function create(node: VNode | string): Node {
  if (typeof node === "string") return document.createTextNode(node);
  const element = SVG_TAGS.has(node.tag) ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  update(element, node);
  return element;
}

function update(element: Element, node: VNode): void {
  const known = element as Element & Known;
  const before = known.vAttributes ?? {};
  for (const name of Object.keys(before)) {
    if (!(name in node.attributes) || !present(node.attributes[name])) remove(element, name);
  }
  for (const [name, value] of Object.entries(node.attributes)) {
    if (name === "key") known.vKey = String(value);
    else if (present(value) && before[name] !== value) set(element, name, value);
  }
  known.vAttributes = node.attributes;
  patch(element, node.children);
}

const present = (value: Attribute): boolean => value !== null && value !== undefined && value !== false;

function set(element: Element, name: string, value: Attribute): void {
  if (typeof value === "function") (element as unknown as Record<string, unknown>)[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

function remove(element: Element, name: string): void {
  if (name.startsWith("on")) (element as unknown as Record<string, unknown>)[name] = null;
  else element.removeAttribute(name);
}

const keyOf = (node: VNode | string): string | undefined =>
  typeof node === "string" || node.attributes["key"] === undefined ? undefined : String(node.attributes["key"]);

function fits(existing: Known, node: VNode | string): boolean {
  if (typeof node === "string") return existing.nodeType === 3;
  return existing.nodeType === 1 && (existing as Element).tagName.toLowerCase() === node.tag.toLowerCase();
}

/** Makes the children of `parent` equal to `nodes`. */
export function patch(parent: Element, nodes: (VNode | string)[]): void {
  const keyed = new Map<string, Known>();
  for (const child of parent.childNodes) {
    const key = (child as Known).vKey;
    if (key !== undefined) keyed.set(key, child as Known);
  }
  let cursor = parent.firstChild as Known | null;
  for (const node of nodes) {
    const key = keyOf(node);
    let existing: Known | null = null;
    if (key !== undefined) existing = keyed.get(key) ?? null;
    else if (cursor && cursor.vKey === undefined && fits(cursor, node)) existing = cursor;
    if (existing && fits(existing, node)) {
      if (existing === cursor) cursor = cursor.nextSibling as Known | null;
      else parent.insertBefore(existing, cursor);
      if (typeof node !== "string") update(existing as unknown as Element, node);
      else if (existing.nodeValue !== node) existing.nodeValue = node;
    } else {
      parent.insertBefore(create(node), cursor);
    }
  }
  while (cursor) {
    const next = cursor.nextSibling as Known | null;
    parent.removeChild(cursor);
    cursor = next;
  }
}
