const scores = (names: string): Record<string, number> =>
  Object.fromEntries(names.split(' ').map((name, index) => [name, 40 + ((index * 17) % 50)]));

/** A filled-in questionnaire, invented: what the probe submits where it is given no other. */
export const sampleAnswers = {
  assessment_name: 'AI-Driven Talent Mapping',
  assessment_data: {
    riasec: scores('realistic investigative artistic social enterprising conventional'),
    ocean: scores('openness conscientiousness extraversion agreeableness neuroticism'),
    viaIs: scores(
      'creativity curiosity judgment loveOfLearning perspective bravery perseverance honesty zest love kindness ' +
        'socialIntelligence teamwork fairness leadership forgiveness humility prudence selfRegulation ' +
        'appreciationOfBeauty gratitude hope humor spirituality',
    ),
  },
};
