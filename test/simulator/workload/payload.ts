/** Sectors that say which write made them, and where they belong: a torn, misplaced or reused one is recognised. */
export const SECTOR_BYTES = 512;

/** Id 0 is a sector of zeros. */
export function fillSectors(
  bytes: Uint8Array,
  { id, sector }: { readonly id: number; readonly sector: number },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
    view.setUint32(at, id);
    view.setUint32(at + 4, sector + at / SECTOR_BYTES);
    view.setUint32(at + 256, id);
    view.setUint32(at + SECTOR_BYTES - 4, id);
  }
}

/** The write that made this sector; null: no write of ours looks like this, here. */
export function idOfSector(bytes: Uint8Array, at: number, sector: number): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, SECTOR_BYTES);
  const id = view.getUint32(0);
  if (view.getUint32(256) !== id || view.getUint32(SECTOR_BYTES - 4) !== id) return null;
  if (id === 0) return view.getUint32(4) === 0 ? 0 : null;
  return view.getUint32(4) === sector ? id : null;
}
