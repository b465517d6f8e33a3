/** Which file is the mask of which picture, by their names. */

export interface Named {
  /** With folders, as the browser gives it. */
  readonly path: string;
}

export interface Pair<T extends Named> {
  readonly image: T;
  readonly mask: T;
}

export interface Pairs<T extends Named> {
  readonly pairs: readonly Pair<T>[];
  readonly alone: readonly T[];
}

const PICTURE = /\.(png|jpe?g|webp|tiff?|bmp)$/i;
const MASK_NAME = /[._-]mask$/i;
const MASK_FOLDER = /(^|\/)masks?\//i;

const stem = (path: string) => path.replace(/^.*\//, "").replace(/\.[^.]*$/, "");

/** `photo.jpg` belongs to `photo.mask.png`, `photo_mask.png`, `photo-mask.png`, or `photo.png` in a folder `masks`. */
export function pair<T extends Named>(files: readonly T[]): Pairs<T> {
  const pictures = files.filter(({ path }) => PICTURE.test(path));
  const isMask = ({ path }: T) => MASK_NAME.test(stem(path)) || MASK_FOLDER.test(path);
  const masks = new Map(
    pictures.filter(isMask).map((file) => [stem(file.path).replace(MASK_NAME, ""), file]),
  );
  const pairs: Pair<T>[] = [];
  const alone: T[] = [];
  for (const image of pictures) {
    if (isMask(image)) continue;
    const mask = masks.get(stem(image.path));
    if (mask) pairs.push({ image, mask });
    else alone.push(image);
  }
  return { pairs, alone };
}
