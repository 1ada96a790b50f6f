import type { Language, MonitorEvent } from 'assessment-monitor';

/** One line of a story: when it happened and what it means, in plain words. */
export interface TimelineLine {
  /** Since the beginning, to a tenth. */
  seconds: number;
  text: string;
  /** A hint for the eye. */
  tone: 'plain' | 'good' | 'trouble';
}

type Words = Record<Language, string>;

const calls: Record<string, Words> = {
  submit: { en: 'the submission', id: 'pengiriman jawaban' },
  status: { en: 'a poll', id: 'pengecekan status' },
  result: { en: 'the result fetch', id: 'pengambilan hasil' },
  job: { en: 'an archive call', id: 'pengecekan arsip' },
  balance: { en: 'a balance call', id: 'pengecekan saldo' },
};

const states: Record<string, Words> = {
  submitting: { en: 'submitting the answers', id: 'mengirim jawaban' },
  'ws-monitoring': { en: 'watching over the WebSocket', id: 'memantau lewat WebSocket' },
  polling: { en: 'watching by polling', id: 'memantau dengan polling' },
  'refreshing-token': {
    en: 'refreshing the token; the analysis continues',
    id: 'memperbarui token; analisis tetap berjalan',
  },
  'fetching-result': { en: 'the server has finished: fetching the result', id: 'server selesai: mengambil hasil' },
  'auth-failed': {
    en: 'paused: a sign-in is needed; the job is kept',
    id: 'ditahan: perlu masuk kembali; pekerjaan disimpan',
  },
  'timed-out': {
    en: 'paused: it takes longer than expected; the user decides',
    id: 'ditahan: lebih lama dari perkiraan; pengguna ditanya',
  },
  completed: { en: 'the result is on the page', id: 'hasil sudah tampil' },
  failed: { en: 'failed, and the page says why', id: 'gagal, dan pengguna diberi tahu sebabnya' },
  cancelled: { en: 'cancelled', id: 'dibatalkan' },
};

/**
 * Tells what happened in words, one event at a time. It remembers a little, so that it can say what led to what: "token 1
 * expired during a poll", and later "the poll was repeated".
 *
 * @param startedAt ms since the epoch: the zero of the timeline
 */
export function createNarrator(
  startedAt: number,
  language: Language = 'en',
): (event: MonitorEvent & { at: number }) => TimelineLine[] {
  let refused: string | null = null;

  const tell = (event: MonitorEvent): [Words, TimelineLine['tone']] | null => {
    switch (event.type) {
      case 'request.finished': {
        const call = calls[event.route];
        if (!call) return null;
        if (event.outcome === 'unauthorized') {
          refused = event.route;
          const { generation } = event;
          return [
            {
              en: `token ${generation} was refused during ${call.en}; the user does not notice`,
              id: `token ${generation} ditolak saat ${call.id}; pengguna tidak diganggu`,
            },
            'trouble',
          ];
        }
        if (event.outcome === 'ok' && refused === event.route) {
          refused = null;
          return [
            {
              en: `${call.en} was repeated with token ${event.generation}, and answered`,
              id: `${call.id} diulang dengan token ${event.generation}, dan dijawab`,
            },
            'good',
          ];
        }
        if (event.outcome === 'transient') {
          const status = event.status ?? '–';
          return [
            {
              en: `no useful answer to ${call.en} (${status}); it will be repeated`,
              id: `tidak ada jawaban untuk ${call.id} (${status}); akan diulang`,
            },
            'trouble',
          ];
        }
        return null;
      }
      case 'refresh.finished':
        return event.outcome === 'refreshed'
          ? [{ en: `the token was refreshed in ${event.ms} ms`, id: `token diperbarui dalam ${event.ms} md` }, 'good']
          : event.outcome === 'limited'
            ? [
                {
                  en: 'the refresh has to wait: the server grants one at a time',
                  id: 'pembaruan token harus menunggu: server membatasi jaraknya',
                },
                'plain',
              ]
            : [
                {
                  en: `the refresh came to nothing (${event.outcome})`,
                  id: `pembaruan token tidak berhasil (${event.outcome})`,
                },
                'trouble',
              ];
      case 'token.expiring':
        return [
          {
            en: `token ${event.generation} expires soon: it is refreshed ahead of time`,
            id: `token ${event.generation} segera kedaluwarsa: diperbarui lebih awal`,
          },
          'plain',
        ];
      case 'token.refused':
        return event.outage
          ? [
              {
                en: 'a fresh token is refused: the verifier is down, not the session; waiting',
                id: 'token baru ditolak: layanan autentikasi terganggu, bukan sesinya; menunggu',
              },
              'trouble',
            ]
          : null;
      case 'session.ended':
        return event.reason === 'rejected'
          ? [{ en: 'the server ended the session', id: 'server mengakhiri sesi' }, 'trouble']
          : [{ en: 'the user signed out', id: 'pengguna keluar' }, 'plain'];
      case 'session.restored':
        return [{ en: 'the user signed in', id: 'pengguna masuk' }, 'plain'];
      case 'feed.live':
        return [
          { en: 'the WebSocket is connected and authenticated', id: 'WebSocket tersambung dan terautentikasi' },
          'good',
        ];
      case 'feed.lost':
        return event.reason === 'closed'
          ? [
              {
                en: 'the WebSocket was closed: it is not needed any more',
                id: 'WebSocket ditutup: tidak diperlukan lagi',
              },
              'plain',
            ]
          : [{ en: `the WebSocket was lost (${event.reason})`, id: `WebSocket terputus (${event.reason})` }, 'trouble'];
      case 'page.resumed':
        return [
          {
            en: `the page is back (${event.reason}): looking at everything again`,
            id: `halaman aktif kembali (${event.reason}): semuanya dicek lagi`,
          },
          'plain',
        ];
      case 'state.changed': {
        const words = states[event.to];
        return words ? [words, event.to === 'completed' ? 'good' : event.to === 'failed' ? 'trouble' : 'plain'] : null;
      }
      case 'job.dropped':
        return [
          { en: `a stored job was dropped (${event.reason})`, id: `pekerjaan tersimpan dibuang (${event.reason})` },
          'plain',
        ];
      default:
        return null;
    }
  };

  return (event) => {
    const told = tell(event);
    return told ? [{ seconds: secondsSince(startedAt, event.at), text: told[0][language], tone: told[1] }] : [];
  };
}

/** Seconds between two instants in ms, to a tenth, never negative. */
export const secondsSince = (startedAt: number, at: number): number =>
  Math.max(0, Math.round((at - startedAt) / 100) / 10);
