// The data of the page: blocks of compressed JSON with columns of numbers, each decoded when it is first asked for.

const decoded = new Map();

/** What the block of that id holds. */
export function block(id) {
  if (!decoded.has(id)) decoded.set(id, decode(document.getElementById(id)));
  return decoded.get(id);
}

async function decode(element) {
  const stream = new Blob([bytesOf(element.textContent)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const end = bytes.indexOf(10); // JSON has no line feed
  return withNumbers(JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))), bytes.subarray(end + 1));
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";
const VALUES = new Uint8Array(128);
[...DIGITS].forEach((digit, value) => (VALUES[digit.charCodeAt(0)] = value));

/** What stands in base 85, five digits for four bytes; the last ones may be fewer. */
function bytesOf(text) {
  const bytes = new DataView(new ArrayBuffer(Math.ceil(text.length / 5) * 4));
  for (let place = 0; place < text.length; place += 5) {
    let number = 0;
    for (let digit = place; digit < place + 5; digit++) number = number * 85 + (digit < text.length ? VALUES[text.charCodeAt(digit)] : 84);
    bytes.setUint32((place / 5) * 4, number);
  }
  return bytes.buffer.slice(0, Math.floor((text.length * 4) / 5));
}

/** The tables of a block, or columns of its own, with the numbers where a column of them is meant. */
function withNumbers(kept, bytes, depth = 2) {
  if (typeof kept?.at === "number") return COLUMNS[kept.kind](kept, bytes);
  if (!depth || typeof kept !== "object" || kept === null || Array.isArray(kept)) return kept;
  return Object.fromEntries(Object.entries(kept).map(([name, each]) => [name, withNumbers(each, bytes, depth - 1)]));
}

const NO_NUMBER = -(1 << 15);
const INSTEAD = new Map([[0, null], [1, NaN], [2, Infinity], [-2, -Infinity]]);
const MISSING = 0xffffffff;

const COLUMNS = {
  Integers({ at, count }, bytes) {
    return rows(count, (row) => {
      const unsigned = [0, 1, 2, 3].reduce((sum, rank) => sum + byte(bytes, rank, at + row) * 256 ** rank, 0);
      return unsigned === MISSING ? null : signed(unsigned);
    });
  },

  /** An integer and a power of ten for each. */
  Numbers({ at, count }, bytes) {
    const pair = (low, row) => signed(byte(bytes, low, at + row) + 256 * byte(bytes, low + 1, at + row));
    return rows(count, (row) => {
      const [integer, power] = [pair(0, row), pair(2, row)];
      return power === NO_NUMBER ? INSTEAD.get(integer) : Number(`${integer}e${power}`);
    });
  },
};

/** The low bytes of all columns stand together, then the next ones, and so on: four planes. */
function byte(bytes, rank, place) {
  return bytes[(rank * bytes.length) / 4 + place];
}

function rows(count, value) {
  return Array.from({ length: count }, (_, row) => value(row));
}

/** The sign is in the lowest bit. */
function signed(unsigned) {
  return unsigned % 2 ? -(unsigned + 1) / 2 : unsigned / 2;
}
