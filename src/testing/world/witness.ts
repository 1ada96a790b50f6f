import type { Reply, ServerRequest } from './fake-server.ts';
import type { SeenRequest } from './fake-network.ts';
import { SECRET } from './fake-sessions.ts';
import type { Complaint, RuleName } from './rules.ts';
import type { World } from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What a holder of a token knows of its end. */
interface Knowledge {
  /** By the clock of the machine, when the token came; null where no lifetime was told. */
  expiresAt: number | null;
  /** How often the clock had been set by then. */
  jumps: number;
  /** By true time. */
  trulyExpiresAt: number;
}

/**
 * Sees what leaves the pages at the moment at which it leaves, and complains.
 *
 * A token is *known to be expired* when its whole lifetime has passed on the sender's own clock since the token arrived at the
 * sender. That is judged when the request is sent: what a slow network makes of it is not the sender's fault. Where the clock
 * was never set meanwhile, the stricter measure holds: the true expiry, which began to run before the token arrived.
 */
export class Witness {
  readonly complaints: Complaint[] = [];
  readonly #clock: VirtualClock;
  readonly #world: World;
  readonly #startedAt: number;
  readonly #known = new Map<string, Knowledge>();
  /** Answers whose job a page was told of. */
  readonly #toldJob = new Set<string>();
  /** Pages whose session is over, as they said themselves. */
  readonly #signedOut = new Set<number>();

  constructor(world: World, clock: VirtualClock) {
    this.#world = world;
    this.#clock = clock;
    this.#startedAt = clock.time();
  }

  complain(rule: RuleName, what: string): void {
    this.complaints.push({ rule, what, at: this.#clock.time() - this.#startedAt });
  }

  /** A token has reached the browser. */
  tokenArrived(value: string, isLifetimeTold: boolean): void {
    const { tokenTtlMs } = this.#world;
    this.#known.set(value, {
      expiresAt: isLifetimeTold ? this.#clock.now() + tokenTtlMs : null,
      jumps: this.#clock.jumps(),
      trulyExpiresAt: this.#clock.time() + tokenTtlMs,
    });
  }

  sawToken(value: string | null, where: string): void {
    const known = value === null ? undefined : this.#known.get(value);
    if (!known) return;
    const isKnownDead = known.expiresAt !== null && this.#clock.now() >= known.expiresAt;
    const isClockGood =
      known.jumps === this.#clock.jumps() && (known.expiresAt !== null || this.#world.clockOffMs === 0);
    if (isKnownDead || (isClockGood && this.#clock.time() >= known.trulyExpiresAt))
      this.complain('deadToken', `a dead token in ${where}`);
  }

  sawRequest(seen: SeenRequest, request: ServerRequest, url: string): void {
    const { route } = seen;
    this.sawToken(request.token, `a ${route} call`);
    if (this.#signedOut.has(seen.page)) this.complain('silence', `a ${route} call after the session had ended`);
    if (route === 'submit' && this.#toldJob.has(seen.body))
      this.complain('resumed', 'answers were sent again after the job was known');
    this.sawText(url, 'an address');
    this.sawText(seen.body, 'a body');
  }

  sawReply(seen: SeenRequest, request: ServerRequest, { status, body }: Reply): void {
    if (status >= 300 || typeof body === 'string') return;
    const { data } = body as { data: { idToken?: string } };
    if (seen.route === 'refresh' && data.idToken) this.tokenArrived(data.idToken, true);
    if (seen.route === 'submit') this.#toldJob.add(request.body);
  }

  /** Something that others can read. */
  sawText(text: string, where: string): void {
    if (text.includes(SECRET)) this.complain('secret', `a token in ${where}`);
  }

  /** Something that a person reads, or that the application catches. */
  sawShown(text: string): void {
    if (/INVALID_TOKEN|invalid or expired/i.test(text)) this.complain('neverShown', text.slice(0, 120));
    this.sawText(text, 'what is shown');
  }

  sessionEnded(page: number): void {
    this.#signedOut.add(page);
  }

  sessionRestored(page: number): void {
    this.#signedOut.delete(page);
  }
}
