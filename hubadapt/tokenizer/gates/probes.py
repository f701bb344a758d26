"""Texts that a changed vocabulary must leave as they were: sentences of our own, shapes of numbers and spaces."""

from __future__ import annotations

ENGLISH = (
    "The river runs behind the old house, and in spring the garden floods.",
    "She didn't say why; she'd already left when we arrived at half past nine.",
    "I can't believe it's over. We're sure they've seen it, and you'll see that I'm right.",
    "Every model has a vocabulary: a list of tokens, each with a row in the embedding table.",
    '"Where were you?" he asked. "At the baker\'s," she said, \'as always.\'',
    "THE MEETING IS MOVED TO FRIDAY. Please tell John O'Neill and Ms. Smith-Jones (room 4b).",
    "Tea, coffee and bread cost $12.50 today -- 3% more than last week... really?!",
    "A photo of a cafe in Paris, an essay on naive set theory, a resume and a role.",
    "Write to someone@example.org or read https://example.org/docs/?page=2&lang=en#top first.",
    "Water boils at 100 degrees; ice melts at 0. The 2nd train leaves at 17:45, the 3rd at 18:05.",
    "Dear reader,\n\nthank you for your letter of March 3, 2024.\n\nYours sincerely,\nThe editors\n",
    "* first point\n* second point\n    1. a detail\n    2. another one\n\n| name | value |\n|------|------:|\n",
    "Although nobody remembered the beginning, the understanding of international organisations improved considerably.",
    "In summary: government, information, development, university, environment, technology, relationship.",
)
"""Prose, with contractions, quotation marks, lists and addresses."""

CODE = (
    'def area(radius: float) -> float:\n    """Area of a circle."""\n    return 3.14159 * radius ** 2  # in m2\n',
    "for i in range(10):\n    if i % 2 == 0 and not seen[i]:\n        print(f'{i:>3} {names[i]!r}')\n\treturn None\n",
    "import numpy as np\nfrom pathlib import Path\n\nclass Reader(Base):\n    def __init__(self):\n        pass\n",
    "#include <stdio.h>\n\nint main(void) {\n\tfor (int i = 0; i < n; ++i) {\n\t\tsum += a[i];\n\t}\n\treturn 0;\n}\n",
    "const get = async (url) => {\n  const answer = await fetch(`${url}?q=1`);\n  return answer?.json() ?? null;\n};\n",
    'public static String join(List<String> parts) { return parts.stream().collect(Collectors.joining(", ")); }',
    "fn longest<'a>(x: &'a str, y: &'a str) -> &'a str { if x.len() > y.len() { x } else { y } }",
    "SELECT name, COUNT(*) AS n FROM users u JOIN orders o ON u.id = o.user_id WHERE o.paid GROUP BY name;",
    '<div class="card" id=\'main\'><a href="/index.html">Home</a><!-- todo --><br/></div>\n',
    '{"name": "example", "version": "1.2.3", "items": [1, 2.5, -3e10, true, null], "path": "C:\\\\temp"}\n',
    "name: build\non: [push]\njobs:\n  test:\n    steps:\n      - run: make test && echo done | tee log.txt\n",
    '$ grep -rn \'TODO\' --include="*.py" . | sort -u | head -n 20 > /tmp/out.txt 2>&1; git commit -m "Fix #12"\n',
    "camelCase snake_case SCREAMING_CASE kebab-case PascalCase x1 y_2 __all__ -> => != <= >= && || :: ... ?? ++",
)
"""Programs and data, in a dozen notations."""

MATHS = (
    "3 + 4 * (5 - 6) / 7 = 2.43; 10^6 < 1,000,000 + 1; -0.5e-3 >= -1; 12:30; 50%; 7/8; 0x1F; 0b1011",
    "\\begin{equation} \\frac{a^2 + b^2}{c_{i,j}} \\leq \\sum_{k=1}^{n} \\sqrt{x_k} \\end{equation}",
    "∀x ∈ ℝ: x² ≥ 0, ∃y ≠ 0, x·y ≈ 1 ± 0.01, a → b ⇒ ¬b ∨ a, ∑ ∏ ∫ √ ∞ ∂ ∇ ⊂ ∪ ∩ ∅ ≡ ≤ ×÷",
    "Let $f(x) = x^3 - 2x + 1$. Then $f'(x) = 3x^2 - 2$, which is zero at $x = \\pm\\sqrt{2/3}$.",
    "α + β = γ, Δx → 0, 2πr, λ = 550 nm, σ² = 1.5, θ ≤ 90°, 5 µm, Ω",
    "Solve 12x + 7 = 31: subtract 7, divide by 12, so x = 2. Check: 12 * 2 + 7 = 31.",
)
"""Formulas as they are typed and as TeX writes them."""

OTHER_SCRIPTS = (
    "Été comme hiver, l'élève cherche où se cache la forêt; ça coûte 12,50 € à Noël.",
    "Größere Straßen führen über den Fluss, müde Vögel hören auf zu singen.",
    "¿Dónde está el niño? Mañana vendrá con su abuela; ¡qué alegría, señor!",
    "Não há pão na mesa, mas as crianças já estão à espera da manhã.",
    "Perché la città è così lontana? Lunedì andrò più in là, e poi giù.",
    "Żółta łódź płynie przez jezioro, a dzieci śpią już spokojnie.",
    "Příští týden půjdeme k řece, kde žijí tři veselí koně.",
    "Bugün hava güneşli, çocuklar ırmağın kıyısında şarkı söylüyor.",
    "Hôm nay trời ấm, bọn trẻ chơi bên bờ sông cạnh ngôi nhà cũ.",
    "Tänään on lämmin päivä, ja lapset leikkivät vanhan talon äärellä.",
    "Í dag er hlýtt og börnin leika sér við ána, þar sem gamla húsið stóð áður.",
    "Az öreg ház mögött folyik a folyó, a gyerekek örülnek a tűznek.",
    "Astăzi e cald, iar copiii se joacă lângă râu și țin flori în mâini.",
    "Leo ni siku ya joto, watoto wanacheza kando ya mto karibu na nyumba.",
    "Σήμερα κάνει ζέστη και τα παιδιά παίζουν κοντά στο ποτάμι, δίπλα στο παλιό σπίτι.",
    "Ἐν ἀρχῇ τοῦ βιβλίου ἡ ᾠδὴ τῶν ἀνθρώπων ἦν.",
    "Сегодня тепло, и дети играют у реки возле старого дома; подъезд ещё закрыт.",
    "Сьогодні тепло, діти граються біля річки; її ґанок уже зачинено.",
    "Данас је топло, деца се играју поред реке, а људи шетају ђачким путем.",
    "Днес е топло и децата играят край реката до старата къща.",
    "Бүгін күн жылы, балалар өзен жағасында ойнап жүр, әжем үйде.",
    "Այսօր տաք է, երեխաները խաղում են գետի մոտ, հին տան կողքին։",
    "დღეს თბილა, ბავშვები მდინარესთან თამაშობენ, ძველი სახლის გვერდით.",
    "היום חם, והילדים משחקים ליד הנהר, סמוך לבית הישן. שָׁלוֹם לכולם!",
    "اليوم دافئ، والأطفال يلعبون قرب النهر بجانب البيت القديم. مَرْحَبًا ١٢٣",
    "امروز هوا گرم است و بچه‌ها کنار رودخانه بازی می‌کنند؛ گربه خوابیده.",
    "آج دن گرم ہے اور بچے دریا کے کنارے کھیل رہے ہیں۔",
    "ܫܠܡܐ ܥܠܝܟܘܢ ܟܠܟܘܢ",
    "ދުވަހުގެ އަޑު މިއީ ރީތި",
    "ߌ ߣߌ ߕߟߋ߬ ߞߊ߲ߞߊ߲",
    "आज गर्मी है और बच्चे नदी के किनारे पुराने घर के पास खेल रहे हैं। क्या ठीक है?",
    "আজ গরম, আর শিশুরা নদীর ধারে পুরোনো বাড়ির কাছে খেলছে।",
    "ਅੱਜ ਗਰਮੀ ਹੈ ਅਤੇ ਬੱਚੇ ਨਦੀ ਦੇ ਕੰਢੇ ਖੇਡ ਰਹੇ ਹਨ।",
    "આજે ગરમી છે અને બાળકો નદી કિનારે રમે છે.",
    "ଆଜି ଗରମ, ପିଲାମାନେ ନଦୀ କୂଳରେ ଖେଳୁଛନ୍ତି।",
    "இன்று வெப்பம், குழந்தைகள் ஆற்றின் அருகே பழைய வீட்டில் விளையாடுகிறார்கள்.",
    "ఈ రోజు వేడిగా ఉంది, పిల్లలు నది దగ్గర ఆడుతున్నారు.",
    "ಇಂದು ಬಿಸಿಯಾಗಿದೆ, ಮಕ್ಕಳು ನದಿಯ ಬಳಿ ಆಡುತ್ತಿದ್ದಾರೆ.",
    "ഇന്ന് ചൂടാണ്, കുട്ടികൾ പുഴയുടെ അരികിൽ കളിക്കുന്നു.",
    "අද උණුසුම්, ළමයි ගඟ අසල සෙල්ලම් කරති.",
    "วันนี้อากาศอบอุ่น เด็กๆ เล่นอยู่ริมแม่น้ำใกล้บ้านเก่า",
    "ມື້ນີ້ອາກາດອົບອຸ່ນ ເດັກນ້ອຍຫຼິ້ນຢູ່ແຄມນ້ຳ",
    "ယနေ့ ပူနွေးပြီး ကလေးများ မြစ်နားတွင် ကစားနေကြသည်။",
    "ថ្ងៃនេះក្តៅ ក្មេងៗលេងនៅក្បែរទន្លេ។",
    "དེ་རིང་གནམ་གཤིས་དྲོ་པོ་འདུག",
    "ዛሬ ሞቃት ነው፣ ልጆች ከወንዙ አጠገብ ይጫወታሉ።",
    "ᠥᠨᠥᠳᠦᠷ ᠳᠤᠯᠠᠭᠠᠨ ᠪᠠᠶᠢᠨᠠ",
    "ᎣᏏᏲ ᏙᎯᏧ ᏂᎯ",
    "ᐊᐃᓐᖓᐃ ᖃᓄᐃᑉᐱᑦ",
    "ⴰⵣⵓⵍ ⴼⵍⵍⴰⵡⵏ",
    "ᱛᱮᱦᱮᱧ ᱫᱚ ᱞᱚᱞᱚ ᱜᱮᱭᱟ",
    "今天天气很暖和，孩子们在河边的老房子旁玩耍。价格是１２．５元。",
    "今天天氣很暖和，孩子們在河邊的老房子旁玩耍。「真的嗎？」",
    "今日は暖かくて、子供たちは川のそばの古い家の近くで遊んでいます。カタカナとｶﾅ。",
    "오늘은 따뜻해서 아이들이 강가의 오래된 집 옆에서 놀고 있습니다.",
    "\u1112\u1161\u11ab\u1100\u1173\u11af e\u0301a\u0308o\u0302 \ufb01n \u2167 \u212b \uff21\uff22",
    "🙂👩‍🚀👨‍👩‍👧‍👦🇺🇦🏳️‍🌈👍🏽 ❤️ ☕ ✓ ★ ♫ — – … « » „ “ ” ‘ ’ • · § ¶ † ‰ № © ® ™",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 𐌰𐌱𐌲 𓀀𓁐 𒀀𒁀 \U0001f9d1\u200d\U0001f4bb \u200b\u2060\ufeff \u202eabc\u202c",
)
"""Sentences in many languages and scripts; those that hold letters of the target language are left out."""

NUMBER_FORMS = ("{}", "In the year {} there were 7 of them.", "{0},{0}.{0}", "{0}:{0} - {0}/{0}", "x{0}y ({0}) +{0}%")
"""Where a number may stand."""

SPACE_FORMS = ("{}", "a{}b", "1{}2", ".{}(", "a{0}b{0}")
"""Where a run of white space may stand."""

DIALOGUES: tuple[tuple[dict[str, str], ...], ...] = (
    ({"role": "user", "content": "Why is the sky blue?"},),
    (
        {"role": "user", "content": "Name three rivers."},
        {"role": "assistant", "content": "The Nile, the Rhine and the Amazon."},
        {"role": "user", "content": "And one more, please:\n\n```python\nprint(1 + 1)\n```"},
    ),
    (
        {"role": "system", "content": "You are a helpful assistant. Answer in one sentence."},
        {"role": "user", "content": "What is 12 * 12?"},
    ),
)
"""English dialogues; some chat templates refuse the one with a system prompt."""

PROTECTED = (
    *ENGLISH,
    *CODE,
    *MATHS,
    *(form.format(1234) for form in NUMBER_FORMS),
    *(turn[key] for dialogue in DIALOGUES for turn in dialogue for key in ("role", "content")),
)
"""All probes in English letters: what to protect while learning a language that shares them."""
