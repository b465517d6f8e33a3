/** Numbers as people read them. */

const WHOLE = new Intl.NumberFormat("en");

export const whole = (value: number) => WHOLE.format(value);

export function counted(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} bytes`;
  return value < 1e6 ? `${Math.round(value / 1e3)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

export function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export function megapixels(width: number, height: number): string {
  const millions = (width * height) / 1e6;
  return `${millions < 10 ? millions.toFixed(1) : Math.round(millions)} MP`;
}

/** Rounded so that what is not nothing does not read as nothing. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return "0 %";
  return value < 0.1 ? "< 0.1 %" : `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

export function ago(then: number, now: number): string {
  const minutes = Math.round((now - then) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${counted(minutes, "minute")} ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${counted(hours, "hour")} ago` : `${counted(Math.round(hours / 24), "day")} ago`;
}
