// Our scanner against expat: the same events for the same document, or both refuse it.
#include <gtest/gtest.h>

#include "workbook_testing.h"
#include "xml_events.h"

namespace fieldwarden::supervisor {
namespace {

TEST(XmlScanner, AgreesWithExpat) {
    const std::vector<std::string> documents{
        "<a/>",
        "<a></a>",
        "<a b='1' c=\"2\"/>",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a> text </a>\n",
        "\xEF\xBB\xBF<a>x</a>",
        "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x6e29;</a>",
        "<a b=\"&lt;&#10;x\n\ty\">1\r\n2\r3</a>",
        "<a><![CDATA[<&]]]]><![CDATA[>]]></a>",
        "<a><!-- - & < --><b/><?pi data?></a>",
        "<!-- before --><a/><!-- behind -->",
        "<x:a xmlns:x=\"u\" x:b=\"1\"><x:c/></x:a>",
        "<a\n  b = \"1\"\n></a >",
        "<a b=\">\">'>'</a>",
        "<a>温度\xF0\x9F\x98\x80</a>",
        "<测点 编码=\"1\"/>",
        "<?xml version='1.0' standalone='yes' ?><a/>",
        "<?xml version=\"1.0\" encoding = \"UTF-8\"?><a/>",
        "<?xml-stylesheet href='x'?><a/>",
        // Not well formed:
        "",
        " ",
        "<a>",
        "<a></b>",
        "<a><b></a></b>",
        "</a>",
        "<a/><b/>",
        "<a/>text",
        "text<a/>",
        "<a b=1/>",
        "<a b/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a b=\"1\"c=\"2\"/>",
        "<a b=\"<\"/>",
        "<a b=\"1/>",
        "<a>&unknown;</a>",
        "<a>&lt</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#;</a>",
        "<a>\x01</a>",
        "<a>\xC3</a>",
        "<a>\xED\xA0\x80</a>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<a><!-- --->",
        "<a><![CDATA[x]]</a>",
        "<![CDATA[x]]><a/>",
        "< a/>",
        "<a / >",
        "<1/>",
        "<a",
        "<",
        "<a><?pi</a>",
        "<!DOCTYPE a><a/>",
        "<a><!ELEMENT b></a>",
        "<?xml version=\"1.0\".encoding=\"UTF-8\"?><a/>",
        "<?xml encoding=\"UTF-8\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"maybe\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"",
        "<?xml?><a/>",
        " <?xml version=\"1.0\"?><a/>",
        "<a><?xml version=\"1.0\"?></a>",
        "<?XML version=\"1.0\"?><a/>",
        "<? pi?><a/>",
        "<?1?><a/>",
        "<a \xFF=\"1\"/>",
        // A multiplication sign is no letter.
        "<a\xC3\x97/>",
    };
    for (const auto& document : documents) {
        const auto expected = events_of(parse_xml, document, 1 << 16);
        for (const std::size_t piece : {1UL, 3UL, 7UL, 1UL << 16U}) {
            EXPECT_EQ(events_of(scan_xml, document, piece), expected)
                << document << " in pieces of " << piece;
        }
    }
}

TEST(XmlScanner, LeavesOtherEncodingsToExpat) {
    const std::string latin = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xB0</a>";
    EXPECT_EQ(events_of(scan_xml, latin, 16), "<a>°</a>");
    const std::string utf16{"\xFF\xFE<\0a\0>\0\x4b\x6d<\0/\0a\0>\0", 18};
    EXPECT_EQ(events_of(scan_xml, utf16, 5), "<a>测</a>");
}

}  // namespace
}  // namespace fieldwarden::supervisor
