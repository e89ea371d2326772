/** Elements of drawings. */

const SVG = "http://www.w3.org/2000/svg";

export function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}
