/** What a world must keep, by the number of the invariant. None of it comes from the machine. */
export const RULES = {
  oneSubmission: '1 one accepted submission per assessment',
  deadToken: '2 no request carries a token that its sender knows to be expired',
  refreshAlone: '3 one refresh at a time',
  refreshDistance: '3 refreshes are at least a minute apart',
  refreshReuse: '3 no refresh token is used twice',
  neverFails: '4 no trouble with credentials fails an assessment or costs it its job',
  neverShown: '5 INVALID_TOKEN is never shown or thrown',
  ends: '6 nothing waits for ever',
  nothingLeft: '7 after an ending or a dispose nothing is left',
  silence: '7 nothing is sent without a session',
  completedOnce: '8 completed once, with the result of its own job',
  resumed: '9 a job that is known is resumed and never submitted again',
  anotherUser: "9 another user's job is dropped",
  secret: '10 no token leaves the services',
  distance: '11 status calls keep their distance',
  retryAfter: '11 Retry-After is obeyed',
  caught: 'nothing is thrown that nobody catches',
  promise: 'promise: what the server finishes is shown',
} as const;

export type RuleName = keyof typeof RULES;

/** A rule that was broken. */
export interface Complaint {
  rule: RuleName;
  /** How, in plain words. */
  what: string;
  /** ms since the beginning of the story. */
  at: number;
}
