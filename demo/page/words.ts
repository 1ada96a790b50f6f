import type { Language } from 'assessment-monitor';

/** Everything that the page says, in both languages. */
const words = {
  title: { en: 'An assessment outlives its token', id: 'Asesmen yang lebih lama dari tokennya' },
  subtitle: {
    en: 'The access token lives {token} s, the analysis takes {job} s. The user notices nothing.',
    id: 'Token akses hidup {token} dtk, analisis perlu {job} dtk. Pengguna tidak merasakan apa pun.',
  },
  signIn: { en: 'Sign in as a demo user', id: 'Masuk sebagai pengguna demo' },
  signInAgain: { en: 'Sign in again', id: 'Masuk kembali' },
  signInFirst: {
    en: 'Sign in first; the questionnaire is already filled in.',
    id: 'Masuk dahulu; kuesioner sudah terisi.',
  },
  signInFailed: { en: 'Signing in did not work. Please try again.', id: 'Gagal masuk. Silakan coba lagi.' },
  questionnaire: { en: 'Questionnaire', id: 'Kuesioner' },
  submit: { en: 'Submit', id: 'Kirim' },
  submitting: { en: 'Sending your answers …', id: 'Mengirim jawaban Anda …' },
  queued: {
    en: 'Your answers have arrived. The analysis is about to begin.',
    id: 'Jawaban Anda sudah diterima. Analisis segera dimulai.',
  },
  processing: {
    en: 'Your answers are being analysed. You can leave this page and come back.',
    id: 'Jawaban Anda sedang dianalisis. Anda boleh meninggalkan halaman ini dan kembali lagi.',
  },
  progress: { en: 'Progress of the analysis', id: 'Kemajuan analisis' },
  fetching: {
    en: 'The analysis is finished. Your result is on its way.',
    id: 'Analisis selesai. Hasil Anda sedang diambil.',
  },
  offline: {
    en: 'No connection at the moment. This page continues by itself as soon as it is back; nothing is lost.',
    id: 'Sedang tidak ada koneksi. Halaman ini melanjutkan sendiri begitu koneksi kembali; tidak ada yang hilang.',
  },
  compare: { en: 'Compare with the old way', id: 'Bandingkan dengan cara lama' },
  cancel: { en: 'Cancel', id: 'Batalkan' },
  cancelled: { en: 'You cancelled this assessment.', id: 'Anda membatalkan asesmen ini.' },
  keepWaiting: { en: 'Keep waiting', id: 'Terus menunggu' },
  sendAgain: { en: 'Send again', id: 'Kirim lagi' },
  again: { en: 'New assessment', id: 'Asesmen baru' },
  result: { en: 'Your result', id: 'Hasil Anda' },
  strengths: { en: 'Strengths', id: 'Kekuatan' },
  career: { en: 'A career to look at', id: 'Karier yang patut dilirik' },
  credit: { en: 'Credit', id: 'Kredit' },
  behind: { en: 'Behind the scenes', id: 'Di balik layar' },
  token: { en: 'Access token', id: 'Token akses' },
  tokenLeft: { en: 'token {generation}: {seconds} s left', id: 'token {generation}: sisa {seconds} dtk' },
  tokenDead: {
    en: 'token {generation}: expired, and never sent again',
    id: 'token {generation}: kedaluwarsa, tidak dikirim lagi',
  },
  noToken: { en: 'none', id: 'tidak ada' },
  chart: { en: 'State of the chart', id: 'Keadaan mesin' },
  counters: { en: 'What the server saw of this visit', id: 'Yang dilihat server dari kunjungan ini' },
  submissions: { en: 'submissions accepted', id: 'kiriman diterima' },
  refreshes: { en: 'token refreshes', id: 'pembaruan token' },
  expired: { en: 'requests with an expired token', id: 'permintaan dengan token kedaluwarsa' },
  unauthorized: { en: 'INVALID_TOKEN answers', id: 'jawaban INVALID_TOKEN' },
  shownErrors: { en: 'INVALID_TOKEN shown to the user', id: 'INVALID_TOKEN yang tampil ke pengguna' },
  timeline: { en: 'Timeline', id: 'Linimasa' },
  nothingYet: { en: 'Nothing has happened yet.', id: 'Belum ada kejadian.' },
  language: { en: 'Bahasa Indonesia', id: 'English' },
  endTokens: { en: 'End the token now', id: 'Akhiri token sekarang' },
  dropSockets: { en: 'Break the WebSocket', id: 'Putuskan WebSocket' },
  revoke: { en: 'Revoke the session', id: 'Cabut sesi' },
  refuseSockets: { en: 'Refuse WebSockets', id: 'Tolak WebSocket' },
  cutNetwork: { en: 'Cut the network', id: 'Putuskan jaringan' },
  authOutage: { en: 'Auth outage', id: 'Gangguan autentikasi' },
  rateLimit: { en: 'Rate limit', id: 'Batasi permintaan' },
  slowJob: { en: 'Next job is slow', id: 'Pekerjaan berikut lambat' },
  secondTab: { en: 'Second tab', id: 'Tab kedua' },
  reload: { en: 'Reload', id: 'Muat ulang' },
  switches: { en: 'Let something go wrong', id: 'Biarkan sesuatu gagal' },
  requests: { en: 'Requests, coloured by token', id: 'Permintaan, berwarna menurut token' },
  tokenNumber: { en: 'token {generation}', id: 'token {generation}' },
  sequence: { en: 'Actors and events', id: 'Aktor dan peristiwa' },
  shown: { en: 'results shown on this page', id: 'hasil tampil di halaman ini' },
  oldWay: { en: 'The old way', id: 'Cara lama' },
  oldWayHint: {
    en: 'The same server, but the token is read once and never refreshed.',
    id: 'Server yang sama, tetapi token dibaca sekali dan tidak pernah diperbarui.',
  },
  oldWayProgress: { en: 'Progress of the old way', id: 'Kemajuan cara lama' },
  oldWayRunning: { en: 'It waits for the same analysis: {percent} %', id: 'Menunggu analisis yang sama: {percent} %' },
  oldWayLucky: {
    en: 'This time the analysis was quicker than the token.',
    id: 'Kali ini analisis lebih cepat dari tokennya.',
  },
  calls: { en: 'Latest calls', id: 'Panggilan terakhir' },
  noCalls: { en: 'No call yet.', id: 'Belum ada panggilan.' },
  story: { en: 'What you did, and what follows', id: 'Yang Anda lakukan, dan akibatnya' },
  storyHint: {
    en: 'Press a switch while the analysis runs. What you did appears here at once, and below it what follows.',
    id: 'Tekan sebuah sakelar selama analisis berjalan. Yang Anda lakukan langsung tampil di sini, lalu akibatnya.',
  },
  youEnded: { en: 'You ended token {generation}.', id: 'Anda mengakhiri token {generation}.' },
  noTokenToEnd: {
    en: 'There is no token to end: sign in first.',
    id: 'Tidak ada token untuk diakhiri: masuk dahulu.',
  },
  youDropped: { en: 'You broke the WebSocket.', id: 'Anda memutuskan WebSocket.' },
  nothingToDrop: {
    en: 'Without an analysis under way there is none to break.',
    id: 'Tanpa analisis yang berjalan tidak ada yang terputus.',
  },
  youRevoked: { en: 'You revoked the session.', id: 'Anda mencabut sesi.' },
  nothingToRevoke: {
    en: 'The next call meets it; without a sign-in there is none.',
    id: 'Panggilan berikutnya mengalaminya; tanpa masuk tidak ada panggilan.',
  },
  youRefuse: { en: 'From now on the server refuses WebSockets.', id: 'Mulai sekarang server menolak WebSocket.' },
  youAccept: { en: 'The server accepts WebSockets again.', id: 'Server menerima WebSocket lagi.' },
  nextSocket: {
    en: 'The next connection meets it: break the WebSocket, and the page polls.',
    id: 'Sambungan berikutnya mengalaminya: putuskan WebSocket, dan halaman beralih ke polling.',
  },
  youCut: { en: 'You cut the network.', id: 'Anda memutuskan jaringan.' },
  youMended: { en: 'The network is back.', id: 'Jaringan kembali.' },
  outageBegun: {
    en: 'The auth service is down: it refuses every token, good ones too.',
    id: 'Layanan autentikasi terganggu: semua token ditolak, yang baik juga.',
  },
  outageOver: { en: 'The auth service works again.', id: 'Layanan autentikasi pulih.' },
  nextCall: { en: 'The next call meets it.', id: 'Panggilan berikutnya mengalaminya.' },
  limitBegun: {
    en: 'From now on the server answers each poll with 429.',
    id: 'Mulai sekarang server menjawab setiap polling dengan 429.',
  },
  limitOver: { en: 'The server answers polls again.', id: 'Server menjawab polling lagi.' },
  nextPoll: {
    en: 'The next poll meets it, within seconds.',
    id: 'Polling berikutnya mengalaminya, dalam hitungan detik.',
  },
  jobsSlow: { en: 'From now on an analysis takes 90 s.', id: 'Mulai sekarang analisis perlu 90 dtk.' },
  jobsQuick: { en: 'From now on an analysis takes 25 s.', id: 'Mulai sekarang analisis perlu 25 dtk.' },
  nextJob: { en: 'It holds for the next submission.', id: 'Berlaku untuk kiriman berikutnya.' },
  placeToken: { en: 'token', id: 'token' },
  placeCalls: { en: 'calls', id: 'panggilan' },
  placeChart: { en: 'chart', id: 'bagan' },
  placeUser: { en: 'user', id: 'pengguna' },
  seesForm: { en: 'The user notices nothing.', id: 'Pengguna tidak merasakan apa pun.' },
  seesWaiting: {
    en: 'The user notices nothing: the analysis continues.',
    id: 'Pengguna tidak merasakan apa pun: analisis berlanjut.',
  },
  seesSignIn: {
    en: 'The user is asked to sign in; the analysis continues on the server.',
    id: 'Pengguna diminta masuk; analisis berlanjut di server.',
  },
  seesDelay: {
    en: 'The user reads that it takes longer, and can keep waiting.',
    id: 'Pengguna membaca bahwa ini lebih lama, dan bisa terus menunggu.',
  },
  seesResult: { en: 'The user has the result.', id: 'Pengguna sudah mendapat hasilnya.' },
  seesFailure: { en: 'The user reads why it failed.', id: 'Pengguna membaca sebab kegagalannya.' },
  oldWayRun: { en: 'Run the old way', id: 'Jalankan cara lama' },
  oldWayLost: {
    en: 'The server finishes the job, and the user never sees its result.',
    id: 'Server menyelesaikan pekerjaan, tetapi hasilnya tidak pernah terlihat.',
  },
  unreachable: {
    en: 'The demo server does not answer. Is it still running?',
    id: 'Server demo tidak menjawab. Apakah masih berjalan?',
  },
} satisfies Record<string, Record<Language, string>>;

export type Words = keyof typeof words;
export type Say = (key: Words, values?: Record<string, string | number>) => string;

/** The page's texts in one language; `{name}` is filled in from `values`. */
export const sayIn =
  (language: Language): Say =>
  (key, values = {}) =>
    words[key][language].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));

/** Names of the questionnaire's scales. */
export const scales: Record<string, Record<Language, string>> = {
  realistic: { en: 'I like to build and repair things', id: 'Saya suka membuat dan memperbaiki sesuatu' },
  investigative: { en: 'I like to find out how things work', id: 'Saya suka mencari tahu cara kerja sesuatu' },
  artistic: { en: 'I like to create something new', id: 'Saya suka menciptakan hal baru' },
  social: { en: 'I like to help others to learn', id: 'Saya suka membantu orang lain belajar' },
  enterprising: { en: 'I like to lead and to persuade', id: 'Saya suka memimpin dan meyakinkan' },
  conventional: { en: 'I like order and reliable numbers', id: 'Saya suka keteraturan dan angka yang andal' },
};
