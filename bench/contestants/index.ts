import { after } from './after.ts';
import { assembled } from './assembled.ts';
import { before } from './before.ts';
import type { Contestant } from './contestant.ts';
import { coreLro } from './core-lro.ts';
import { ours } from './ours.ts';

/** Everybody who takes part, in the order of the tables. */
export const contestants = { before, after, assembled, coreLro, ours } satisfies Record<string, Contestant>;

export type ContestantName = keyof typeof contestants;
