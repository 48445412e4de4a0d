using System.Globalization;
using System.Text;

namespace KafkaEventSourcing;

/// <summary>
/// Whether an id can be told from every other one by looking at it. Ids are compared by their code points; two that look the same and
/// differ would be two aggregates, or two commands. The rule is for doors at which new ids come in: what is in a log already is read as it
/// is.
/// </summary>
/// <remarks>
/// A character that has a composed form is written in it, as in Unicode's Normalization Form C (UAX 15). Marks that compose, and characters
/// that this form replaces, are refused by their ranges and not by a comparison, as .NET without ICU has no tables and calls every text
/// normalized.
/// </remarks>
public static class IdentifierForm
{
    // Combining marks of the European scripts and of kana, conjoining Hangul, and characters that Form C always replaces by others.
    private static readonly (int First, int Last)[] Recomposed =
    [
        (0x0300, 0x036F), (0x0374, 0x0374), (0x037E, 0x037E), (0x0387, 0x0387), (0x1100, 0x11FF), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF),
        (0x2000, 0x2001), (0x20D0, 0x20FF), (0x2126, 0x2126), (0x212A, 0x212B), (0x2329, 0x232A),
        (0x3099, 0x309A), (0xA960, 0xA97F), (0xD7B0, 0xD7FF), (0xF900, 0xFAFF), (0xFE20, 0xFE2F), (0x2F800, 0x2FA1F),
    ];

    // What is drawn as nothing besides the format characters: fillers and variation selectors (Unicode's Default_Ignorable_Code_Point), and
    // the empty Braille pattern.
    private static readonly (int First, int Last)[] Unseen =
        [(0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
            (0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF)];

    /// <summary>What makes <paramref name="id"/> look like another one; null: nothing does.</summary>
    public static string? WhatLooksAlike(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        int at = 0;
        foreach (Rune rune in id.EnumerateRunes())
        {
            UnicodeCategory category = Rune.GetUnicodeCategory(rune);
            if (category is UnicodeCategory.Format or UnicodeCategory.Control or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator || IsIn(Unseen, rune.Value) || (rune.Value & 0xFFFE) == 0xFFFE)
                return Told(rune, "cannot be seen");
            if (category == UnicodeCategory.SpaceSeparator && (rune.Value != ' ' || at == 0 || at == id.Length - 1))
                return Told(rune, "is a space that cannot be told from another one, or from none");
            if (IsIn(Recomposed, rune.Value))
                return Told(rune,
                    "has a composed form, or another one, that looks the same: write the text in Unicode's Normalization Form C");
            at += rune.Utf16SequenceLength;
        }

        return null;
    }

    private static bool IsIn((int First, int Last)[] ranges, int value) => Array.Exists(ranges, r => value >= r.First && value <= r.Last);

    private static string Told(Rune rune, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"The character U+{rune.Value:X4} {what}.");
}
