/** Follow a job to its end. */

import { eventsUrl, job as fetchJob } from "./api";
import { ProblemError } from "./http";
import type { Job } from "./types";

/** How long to wait before asking again when the event stream broke, in milliseconds. */
const ASK_AGAIN = 1000;

export class CancelledError extends Error {}

export function isJob(answer: object): answer is Job {
  return "state" in answer && "share" in answer;
}

/** Resolve with the job once it is done; reject with its problem, or `CancelledError`. */
export async function follow(job: Job, onProgress: (job: Job) => void): Promise<Job> {
  let last = job;
  onProgress(last);
  while (last.state === "waiting" || last.state === "running") {
    const ended = await listen(last.id, onProgress);
    if (!ended) await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    last = ended ?? (await fetchJob(last.id));
    onProgress(last);
  }
  if (last.state === "done") return last;
  if (last.state === "failed" && last.problem) throw new ProblemError(last.problem);
  throw new CancelledError();
}

/** The job at the end of its stream of events; undefined if the stream broke before. */
function listen(id: string, onProgress: (job: Job) => void): Promise<Job | undefined> {
  return new Promise((resolve) => {
    const events = new EventSource(eventsUrl(id));
    const read = (event: Event) => JSON.parse((event as MessageEvent<string>).data) as Job;
    const end = (job: Job | undefined) => {
      events.close();
      resolve(job);
    };
    events.addEventListener("progress", (event) => onProgress(read(event)));
    for (const name of ["done", "failed", "cancelled"])
      events.addEventListener(name, (event) => end(read(event)));
    events.onerror = () => end(undefined);
  });
}
