import type { ErrorCode } from '../lib/errors.ts';

/** Indonesian texts for end users. They say the same as the English ones. */
export const id: Readonly<Record<ErrorCode | 'retryAt', string>> = {
  validation: 'Beberapa jawaban tidak dapat diterima. Silakan periksa lalu kirim kembali.',
  'insufficient-credit': 'Kredit Anda tidak cukup untuk asesmen ini. Silakan tambah kredit lalu kirim kembali.',
  forbidden: 'Akun ini tidak memiliki akses ke asesmen ini. Silakan hubungi dukungan.',
  'too-large': 'Jawaban Anda terlalu panjang. Silakan perpendek lalu kirim kembali.',
  rejected: 'Asesmen ini tidak dapat dilanjutkan. Silakan hubungi dukungan.',
  'job-not-found':
    'Layanan belum dapat menemukan asesmen Anda. Kami terus mencarinya. Silakan hubungi dukungan jika ini tidak berubah.',
  'unconfirmed-failure':
    'Ini membutuhkan waktu lebih lama dari biasanya. Kami sedang memeriksa asesmen Anda. Anda dapat terus menunggu atau kembali lagi nanti.',
  'job-failed': 'Analisis gagal. Anda dapat mengirim jawaban kembali, atau menghubungi dukungan.',
  'invalid-result': 'Hasil Anda sudah siap, tetapi tidak dapat ditampilkan. Silakan hubungi dukungan.',
  'sign-in-required': 'Silakan masuk kembali. Asesmen Anda akan dilanjutkan setelah itu.',
  'timed-out':
    'Ini memakan waktu lebih lama dari biasanya. Asesmen Anda masih berjalan. Anda dapat terus menunggu atau kembali lagi nanti.',
  'outcome-unknown':
    'Kami tidak tahu apakah jawaban Anda sudah terkirim. Mengirimnya lagi mungkin memakai satu kredit lagi. Silakan hubungi dukungan jika Anda ragu.',
  network: 'Saat ini tidak ada koneksi. Asesmen Anda tidak hilang, dan kami terus mencoba.',
  unavailable: 'Layanan sedang tidak tersedia. Asesmen Anda tidak hilang, dan kami terus mencoba.',
  'rate-limited': 'Layanan sedang sangat sibuk. Asesmen Anda tidak hilang, dan kami akan segera mencoba lagi.',
  'invalid-response': 'Layanan sedang bermasalah. Asesmen Anda tidak hilang, dan kami terus mencoba.',
  unexpected: 'Terjadi kesalahan. Silakan muat ulang halaman ini, atau hubungi dukungan.',
  retryAt: 'Percobaan berikutnya pukul {time}.',
};
