/** A plausible analysis of the answers: invented, and a little different for different people. */
export function analyse(answers: Record<string, unknown>) {
  const data = (answers.assessment_data ?? answers) as { riasec?: Record<string, number> };
  const [first, second] = Object.entries(data.riasec ?? {})
    .sort(([, a], [, b]) => b - a)
    .map(([name]) => name);
  const { archetype, summary, career } = portraits[first ?? ''] ?? portraits.investigative!;
  return {
    archetype,
    coreMotivators: [
      'Understanding how things work',
      'Seeing an idea become real',
      'Learning something new every week',
    ],
    learningStyle: 'Reads first, then tries it out',
    shortSummary: summary,
    strengthSummary: `Strongest on the ${first ?? 'investigative'} side, well supported by the ${second ?? 'artistic'} one.`,
    strengths: ['Curiosity', 'Love of learning', 'Honesty'],
    weaknessSummary: 'May linger over details when a decision would do.',
    weaknesses: ['Prudence under time pressure', 'Small talk'],
    careerRecommendation: [
      {
        careerName: career,
        justification: 'It rewards patience with open questions and care for the answer.',
        firstSteps: ['Talk to a person who does it', 'Try a small project of your own'],
        relatedMajors: ['Statistics', 'Information systems', 'Psychology'],
        careerProspect: {
          jobAvailability: 'high',
          salaryPotential: 'high',
          careerProgression: 'moderate',
          industryGrowth: 'high',
          skillDevelopment: 'super high',
          aiOvertake: 'moderate',
        },
      },
    ],
    insights: ['You do your best work when the question is still open.'],
    skillSuggestion: ['Data storytelling', 'Facilitation'],
    possiblePitfalls: ['Starting the next thing before others know about the last one'],
    riskTolerance: 'moderate',
    workEnvironment: 'A small team with time to think',
    roleModel: [{ name: 'Ada Lovelace', title: 'Mathematician' }],
    developmentActivities: {
      extracurricular: ['Science club', 'Improvised theatre'],
      bookRecommendations: [
        { title: 'The Design of Everyday Things', author: 'Don Norman', reason: 'It makes you look twice.' },
      ],
    },
  };
}

const portraits: Record<string, { archetype: string; summary: string; career: string }> = {
  realistic: {
    archetype: 'The Builder',
    summary: 'You think with your hands and trust what works.',
    career: 'Mechatronics engineer',
  },
  investigative: {
    archetype: 'The Explorer',
    summary: 'You follow questions further than most people dare.',
    career: 'Data scientist',
  },
  artistic: {
    archetype: 'The Maker',
    summary: 'You see the shape of things before they exist.',
    career: 'Interaction designer',
  },
  social: { archetype: 'The Guide', summary: 'People leave you a little braver than they came.', career: 'Teacher' },
  enterprising: {
    archetype: 'The Captain',
    summary: 'You make groups move, and you like it.',
    career: 'Product manager',
  },
  conventional: { archetype: 'The Keeper', summary: 'Things stay true where you look after them.', career: 'Auditor' },
};
