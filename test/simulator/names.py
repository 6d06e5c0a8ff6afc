"""Names in several scripts, each with the Latin form for e-mail addresses.

A script is (share in percent, first names, surnames); a name is
"native/latin", or only "native" if that is Latin already.
"""


def _pairs(text):
    """"Zoë/zoe Anna" → (("Zoë", "zoe"), ("Anna", "anna"))."""
    pairs = []
    for word in text.split():
        native, _, latin = word.partition("/")
        pairs.append((native, latin or native.lower()))
    return tuple(pairs)


_TABLE = (
    (58,
     "Anna James Maria Oliver Emma Liam Sofia Noah Mia Lucas Amara Kwame "
     "Ingrid Thomas Priya Daniel Fatima Hugo Chloe Ravi Nina Samuel Grace "
     "Victor Leila Marco Ella David Alice Peter",
     "Smith Jones Taylor Brown Wilson Evans Okafor Rossi Schmidt Martin "
     "Larsen Kowalski Silva Fischer Cohen Murphy Patel Nguyen Andersen "
     "Dubois Romano Walker Mensah Costa Becker Novak Hughes Moreau"),
    (18,
     "Zoë/zoe José/jose Łukasz/lukasz Søren/soren Günther/guenther "
     "Renée/renee Åsa/asa Žofie/zofie Íñigo/inigo François/francois "
     "Şebnem/sebnem Ștefan/stefan",
     "Müller/mueller Núñez/nunez Dvořák/dvorak Gößmann/goessmann "
     "O’Brien/obrien Ångström/angstrom Željko/zeljko Çelik/celik "
     "D'Angelo/d'angelo Jõgi/jogi Björnsdóttir/bjornsdottir Đorđević/djordjevic"),
    (5,
     "Анна/anna Дмитрий/dmitry Ольга/olga Сергей/sergey Їжакевич/yizhakevych",
     "Иванова/ivanova Петренко/petrenko Смирнов/smirnov Ђоковић/djokovic"),
    (3,
     "Ελένη/eleni Γιώργος/giorgos Νίκος/nikos",
     "Παπαδόπουλος/papadopoulos Οικονόμου/oikonomou"),
    (4,
     "محمد/mohammed فاطمة/fatima ليلى/layla يوسف/yousef",
     "الحسن/alhassan خوري/khoury منصور/mansour"),
    (4,
     "נועה/noa דוד/david יעל/yael אברהם/avraham",
     "כהן/cohen לוי/levi מזרחי/mizrahi"),
    (4,
     "伟/wei 秀英/xiuying 明/ming 芳/fang 太郎/taro 花子/hanako",
     "王/wang 李/li 陳/chan 山田/yamada 鈴木/suzuki 𠮷野/yoshino"),
    (2,
     "민준/minjun 서연/seoyeon 지훈/jihoon",
     "김/kim 이/lee 박/park"),
    (2,
     "अनिता/anita राजेश/rajesh क्षितिज/kshitij",
     "शर्मा/sharma गुप्ता/gupta"),
)

# One entry for each percent, to choose a script by its share.
SCRIPTS = tuple(
    (_pairs(first), _pairs(last))
    for share, first, last in _TABLE for _ in range(share))

MIDDLE_NAMES = ("Lee", "Marie", "Ana", "J.", "René", "Van der", "Sofía", "K.")
