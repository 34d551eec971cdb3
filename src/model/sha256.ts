/**
 * SHA-256 (FIPS 180-4) of short texts. For a process that hashes one line, Node's costs more than all the rest that a connect
 * computes: node:crypto is loaded first, with the streams under it.
 */

const BLOCK_BYTES = 64;

function primes(count: number): number[] {
  const found: number[] = [];
  for (let number = 2; found.length < count; number++) {
    if (found.every((prime) => number % prime !== 0)) found.push(number);
  }
  return found;
}

/** The first 32 bits behind the point. */
function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** The text in UTF-8, one bit, zeros, and its length in bits as 64-bit number (5.1.1). */
function padded(text: string): DataView {
  const bytes = Buffer.from(text);
  const blocks = Math.ceil((bytes.length + 9) / BLOCK_BYTES);
  const message = new Uint8Array(blocks * BLOCK_BYTES);
  message.set(bytes);
  message[bytes.length] = 0x80;
  const view = new DataView(message.buffer);
  view.setBigUint64(message.length - 8, BigInt(bytes.length) * 8n);
  return view;
}

/** W of 6.2.2: 16 words of the block, and 48 that follow from them. */
function schedule(message: DataView, at: number): Uint32Array {
  const words = new Uint32Array(64);
  const word = (index: number): number => words[index] ?? 0;
  for (let index = 0; index < 16; index++) words[index] = message.getUint32(at + index * 4);
  for (let index = 16; index < 64; index++) {
    const [late, early] = [word(index - 2), word(index - 15)];
    const sigma1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    const sigma0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    words[index] = sigma1 + word(index - 7) + sigma0 + word(index - 16);
  }
  return words;
}

type State = [number, number, number, number, number, number, number, number];

/** K of 4.2.2, from the cube roots of the first 64 primes; made at the first use. */
let constants: readonly number[] | undefined;

/** 64 hex digits. */
export function sha256(text: string): string {
  const k = (constants ??= primes(64).map((prime) => fraction(Math.cbrt(prime))));
  // H(0) of 5.3.3
  const hash = Uint32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)));
  const message = padded(text);
  for (let at = 0; at < message.byteLength; at += BLOCK_BYTES) {
    let [a, b, c, d, e, f, g, h] = [...hash] as State;
    schedule(message, at).forEach((word, round) => {
      const choice = (e & f) ^ (~e & g);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const first = (h + sum1 + choice + (k[round] ?? 0) + word) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + sum0 + majority) | 0];
    });
    [a, b, c, d, e, f, g, h].forEach((word, index) => (hash[index] = (hash[index] ?? 0) + word));
  }
  return Array.from(hash, (word) => word.toString(16).padStart(8, '0')).join('');
}
