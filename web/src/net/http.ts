/** Requests, and how their failures become sentences. */

import type { Problem } from "./types";

export const ROOT = "/api/v1";

/** A failure that can be shown as it is: what happened, and what to do. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }

  get unauthorized(): boolean {
    return this.problem.status === 401;
  }

  get gone(): boolean {
    return this.problem.status === 404;
  }
}

const UNREACHABLE: Problem = {
  title: "The server does not answer.",
  status: 0,
  detail: "The server does not answer.",
  code: "Unreachable",
  fix: "Look whether lacuna web still runs, then try again. Your mask is kept in this browser.",
};

async function toProblem(response: Response): Promise<Problem> {
  const plain: Problem = {
    title: "The server could not do this.",
    status: response.status,
    detail: `The server could not do this (status ${response.status}).`,
    code: "HTTP",
    fix: "Try again; if it stays, look at the lines that lacuna web prints.",
  };
  try {
    return { ...plain, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return plain;
  }
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(ROOT + path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ProblemError(UNREACHABLE);
  }
  if (!response.ok) throw new ProblemError(await toProblem(response));
  return response;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, signal ? { signal } : {})).json()) as T;
}

export async function send<T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method };
  if (signal) init.signal = signal;
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  const response = await request(path, init);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Like fetch with FormData, but it says how much has been sent. */
export function upload<T>(path: string, form: FormData, onShare: (share: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", ROOT + path);
    xhr.responseType = "text";
    xhr.upload.onprogress = (event) => onShare(event.lengthComputable ? event.loaded / event.total : 0);
    xhr.onerror = () => reject(new ProblemError(UNREACHABLE));
    xhr.onload = () => {
      // A status of 0 cannot be made into a Response; it does not come with onload.
      const response = new Response(xhr.responseText, { status: xhr.status });
      if (response.ok) resolve(response.json() as Promise<T>);
      else toProblem(response).then((problem) => reject(new ProblemError(problem)), reject);
    };
    xhr.send(form);
  });
}
