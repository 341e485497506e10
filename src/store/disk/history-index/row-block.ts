/**
 * Row blocks: up to 256 rows as times and sequences, frame-of-reference coded.
 *
 * A block stores the smallest time and sequence and, for each row, the distance from them in as few bits as the
 * largest one needs. Any row is read without the others. Times are in seconds where all of a block's are whole ones.
 *
 * Layout: time base (8 bytes), sequence base (8), time unit in ms (2), low and high bits of times (1 + 1), of
 * sequences (1 + 1); then four bit-packed lanes. A lane has at most 24 bits a row, so that one 32-bit read finds it.
 */
const HEADER_BYTES = 22;
const LANE_BITS = 24;
const LANE = 2 ** LANE_BITS;

/** Most bytes of a block of `rows` rows. */
export function blockBytesMax(rows: number): number {
  return HEADER_BYTES + 4 * (rows * 3 + 1) + 4;
}

/** Encodes rows `from` to `to` (exclusive). @returns The bytes written at `at`. */
export function encodeRowBlock(out: DataView, at: number, times: Float64Array, sequences: Float64Array, from: number, to: number): number {
  let timeMin = Number.POSITIVE_INFINITY;
  let timeMax = Number.NEGATIVE_INFINITY;
  let sequenceMin = Number.POSITIVE_INFINITY;
  let sequenceMax = Number.NEGATIVE_INFINITY;
  let isWholeSeconds = true;
  for (let row = from; row < to; row += 1) {
    timeMin = Math.min(timeMin, times[row]!);
    timeMax = Math.max(timeMax, times[row]!);
    sequenceMin = Math.min(sequenceMin, sequences[row]!);
    sequenceMax = Math.max(sequenceMax, sequences[row]!);
    if (times[row]! % 1000 !== 0) isWholeSeconds = false;
  }
  const unit = isWholeSeconds ? 1000 : 1;
  const timeBits = bitsOf((timeMax - timeMin) / unit);
  const sequenceBits = bitsOf(sequenceMax - sequenceMin);
  out.setFloat64(at, timeMin, true);
  out.setFloat64(at + 8, sequenceMin, true);
  out.setUint16(at + 16, unit, true);
  out.setUint8(at + 18, timeBits.low);
  out.setUint8(at + 19, timeBits.high);
  out.setUint8(at + 20, sequenceBits.low);
  out.setUint8(at + 21, sequenceBits.high);
  let end = at + HEADER_BYTES;
  end = packLane(out, end, timeBits.low, from, to, (row) => ((times[row]! - timeMin) / unit) % LANE);
  end = packLane(out, end, timeBits.high, from, to, (row) => Math.floor((times[row]! - timeMin) / unit / LANE));
  end = packLane(out, end, sequenceBits.low, from, to, (row) => (sequences[row]! - sequenceMin) % LANE);
  end = packLane(out, end, sequenceBits.high, from, to, (row) => Math.floor((sequences[row]! - sequenceMin) / LANE));
  // A 32-bit read of the last row stays inside the block.
  out.setUint32(end, 0, true);
  return end + 4 - at;
}

/** Time of row `index` of a block with `rows` rows. */
export function blockTime(block: DataView, rows: number, index: number): number {
  const low = block.getUint8(18);
  const high = block.getUint8(19);
  let value = unpack(block, HEADER_BYTES, low, index);
  if (high > 0) value += unpack(block, HEADER_BYTES + laneBytes(rows, low), high, index) * LANE;
  return block.getFloat64(0, true) + value * block.getUint16(16, true);
}

/** Sequence of row `index` of a block with `rows` rows. */
export function blockSequence(block: DataView, rows: number, index: number): number {
  const low = block.getUint8(20);
  const high = block.getUint8(21);
  const at = HEADER_BYTES + laneBytes(rows, block.getUint8(18)) + laneBytes(rows, block.getUint8(19));
  let value = unpack(block, at, low, index);
  if (high > 0) value += unpack(block, at + laneBytes(rows, low), high, index) * LANE;
  return block.getFloat64(8, true) + value;
}

/** Bits for the two lanes of numbers up to `max`, which is below 2^48. */
function bitsOf(max: number): { low: number; high: number } {
  if (max >= 2 ** 48) throw new RangeError(`a row block spans ${max}, more than 2^48`);
  const bits = max === 0 ? 0 : Math.floor(Math.log2(max)) + 1;
  // log2 may be off by one close to a power of two; one bit too many does no harm, one too few would.
  const safe = max >= 2 ** bits ? bits + 1 : bits;
  return safe <= LANE_BITS ? { low: safe, high: 0 } : { low: LANE_BITS, high: Math.min(LANE_BITS, safe - LANE_BITS) };
}

function laneBytes(rows: number, bits: number): number {
  return (rows * bits + 7) >> 3;
}

function packLane(out: DataView, at: number, bits: number, from: number, to: number, pick: (row: number) => number): number {
  if (bits === 0) return at;
  const end = at + laneBytes(to - from, bits);
  let place = at;
  let pending = 0;
  let pendingBits = 0;
  for (let row = from; row < to; row += 1) {
    pending |= pick(row) << pendingBits;
    pendingBits += bits;
    while (pendingBits >= 8) {
      out.setUint8(place++, pending & 0xff);
      pending >>>= 8;
      pendingBits -= 8;
    }
  }
  if (pendingBits > 0) out.setUint8(place, pending & 0xff);
  return end;
}

function unpack(block: DataView, at: number, bits: number, index: number): number {
  if (bits === 0) return 0;
  const bit = index * bits;
  return (block.getUint32(at + (bit >> 3), true) >>> (bit & 7)) & (2 ** bits - 1);
}
