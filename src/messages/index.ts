import type { ErrorCode, Problem } from '../lib/errors.ts';

/** The languages in which an end user is spoken to. */
export type Language = 'en' | 'id';

/** What a user can do about a problem. */
export type Remedy = 'retry' | 'sign-in' | 'keep-waiting' | 'contact-support';

/** A problem as a person reads it: what happened, what it means for the job, what to do next. */
export interface ProblemDescription {
  code: ErrorCode;
  message: Readonly<Record<Language, string>>;
  remedies: readonly Remedy[];
  /** Field name to message, for `validation`, in the server's words. */
  details?: Readonly<Record<string, string>>;
}

const texts: Record<ErrorCode, { en: string; id: string; remedies: readonly Remedy[] }> = {
  validation: {
    en: 'Some answers could not be accepted. Nothing was submitted and no credit was used. Please correct them and submit again.',
    id: 'Beberapa jawaban tidak dapat diterima. Belum ada yang dikirim dan kredit tidak terpakai. Silakan perbaiki lalu kirim kembali.',
    remedies: ['retry'],
  },
  'insufficient-credit': {
    en: 'You do not have enough credit for this assessment. Nothing was submitted. Please top up and submit again.',
    id: 'Kredit Anda tidak cukup untuk asesmen ini. Belum ada yang dikirim. Silakan isi ulang lalu kirim kembali.',
    remedies: ['retry', 'contact-support'],
  },
  forbidden: {
    en: 'This account may not open this assessment. Please contact support.',
    id: 'Akun ini tidak diizinkan membuka asesmen ini. Silakan hubungi dukungan.',
    remedies: ['contact-support'],
  },
  'too-large': {
    en: 'The answers are too large to be accepted. Nothing was submitted. Please shorten long texts and submit again.',
    id: 'Jawaban terlalu besar untuk diterima. Belum ada yang dikirim. Silakan perpendek teks yang panjang lalu kirim kembali.',
    remedies: ['retry'],
  },
  rejected: {
    en: 'The server did not accept this assessment. Please contact support.',
    id: 'Server tidak menerima asesmen ini. Silakan hubungi dukungan.',
    remedies: ['contact-support'],
  },
  'job-failed': {
    en: 'The analysis failed. Used credit is given back. You can submit again.',
    id: 'Analisis gagal. Kredit yang terpakai akan dikembalikan. Anda dapat mengirim kembali.',
    remedies: ['retry', 'contact-support'],
  },
  'invalid-result': {
    en: 'Your result is ready, but it cannot be displayed. It is kept safe. Please contact support.',
    id: 'Hasil Anda sudah siap, tetapi tidak dapat ditampilkan. Hasilnya tersimpan aman. Silakan hubungi dukungan.',
    remedies: ['contact-support'],
  },
  'sign-in-required': {
    en: 'Please sign in again. Your assessment goes on meanwhile, and its result will appear here.',
    id: 'Silakan masuk kembali. Asesmen Anda tetap berjalan, dan hasilnya akan muncul di sini.',
    remedies: ['sign-in'],
  },
  'timed-out': {
    en: 'This takes longer than usual. Your assessment is still being worked on; you can keep waiting or come back later.',
    id: 'Ini lebih lama dari biasanya. Asesmen Anda masih diproses; Anda dapat terus menunggu atau kembali lagi nanti.',
    remedies: ['keep-waiting', 'contact-support'],
  },
  'outcome-unknown': {
    en: 'The connection broke while your answers were being sent, so we cannot tell whether they arrived. Sending them again may use a second credit.',
    id: 'Koneksi terputus saat jawaban Anda dikirim, sehingga kami tidak tahu apakah sudah sampai. Mengirim lagi mungkin memakai kredit kedua.',
    remedies: ['retry', 'contact-support'],
  },
  network: {
    en: 'There is no connection right now. Your assessment is safe, and we keep trying.',
    id: 'Saat ini tidak ada koneksi. Asesmen Anda aman, dan kami terus mencoba.',
    remedies: ['keep-waiting'],
  },
  unavailable: {
    en: 'The service is not available right now. Your assessment is safe, and we keep trying.',
    id: 'Layanan sedang tidak tersedia. Asesmen Anda aman, dan kami terus mencoba.',
    remedies: ['keep-waiting'],
  },
  'rate-limited': {
    en: 'The service is very busy. Your assessment is safe, and we try again shortly.',
    id: 'Layanan sedang sangat sibuk. Asesmen Anda aman, dan kami akan mencoba lagi sebentar lagi.',
    remedies: ['keep-waiting'],
  },
  'invalid-response': {
    en: 'The service gave an answer that we did not understand. Your assessment is safe, and we keep trying.',
    id: 'Layanan memberi jawaban yang tidak kami pahami. Asesmen Anda aman, dan kami terus mencoba.',
    remedies: ['keep-waiting'],
  },
  unexpected: {
    en: 'Something unexpected happened. Please try again, or contact support.',
    id: 'Terjadi sesuatu yang tidak terduga. Silakan coba lagi, atau hubungi dukungan.',
    remedies: ['retry', 'contact-support'],
  },
};

/**
 * A problem in words for an end user, in both languages. Never contains a server's code or message, except the field
 * messages of a validation.
 *
 * @example
 * describeProblem({ code: 'timed-out', message: '' }).message.id; // 'Ini lebih lama dari biasanya. …'
 */
export function describeProblem({ code, details }: Problem): ProblemDescription {
  const { remedies, ...message } = texts[code];
  return { code, message, remedies, ...(details && { details }) };
}
