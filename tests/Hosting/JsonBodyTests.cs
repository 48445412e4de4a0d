using System.IO.Compression;
using System.Text;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Hosting.Tests;

public sealed class JsonBodyTests
{
    private const long MaxBytes = 64 * 1024;

    // Two values for one field: which of them counted was the serializer's choice.
    [Theory]
    [InlineData("""{"amount":1,"amount":2}""", "$.amount", "amount is given twice; give it once.")]
    [InlineData("""{"amount":1,"Amount":2}""", "$.Amount", "amount' and as 'Amount'")]
    [InlineData("""{"amount":1,"inner":{"when":"2026-01-31","WHEN":"2026-01-31"}}""", "$.inner.WHEN", "is given twice")]
    [InlineData("""{"amount":1,"tags":{"a":1,"a":2}}""", "$.tags.a", "tags.a is given twice")]
    [InlineData("""{"amount":1,"\u0061mount":2}""", "$.amount", "amount is given twice; give it once.")]
    [InlineData("""{"amount":1,"kind":"Red","kind":"Red"}""", "$.kind", "kind is given twice")]
    [InlineData("""{"amount":1,"lines":[{"when":"2026-01-31"},{"when":"2026-01-31","when":"2026-01-31"}]}""", "$.lines[1].when",
        "is given twice")]
    [InlineData("""{"amount":1,"lines":[],"Lines":[]}""", "$.Lines", "is given twice, as 'lines' and as 'Lines'")]
    [InlineData("""{"amount":1,"byName":{"a":{"when":"2026-01-31"},"a":{"when":"2026-01-31"}}}""", "$.byName.a", "is given twice")]
    [InlineData("""{"amount":1,"byName":{"a":{"when":"2026-01-31","When":"2026-01-31"}}}""", "$.byName.a.When", "is given twice")]
    [InlineData("""{"amount":"five"}""", "$.amount", "amount must be a whole number of 64 bits.")]
    [InlineData("""{"amount":1.5}""", "$.amount", "amount must be a whole number of 64 bits.")]
    [InlineData("""{}""", "$.amount", "amount is missing; it must be a whole number of 64 bits.")]
    [InlineData("""{"amount":1,"colour":"red"}""", "$.colour",
        "colour is not a field here; there are amount, inner, kind, tags, name, lines, byName.")]
    [InlineData("""{"amount":1,"kind":"Blue"}""", "$.kind", "kind must be one of Red, Green.")]
    [InlineData("""{"amount":1,"name":null}""", "$.name", "name is null; it must be a text.")]
    [InlineData("""{"amount":1,"inner":[]}""", "$.inner", "inner must be an object.")]
    [InlineData("""{"amount":1,"inner":{"when":"soon"}}""", "$.inner.when", "inner.when must be a day such as 2026-01-31.")]
    [InlineData("[]", "$", "The body must be an object.")]
    [InlineData("null", "$", "The body is null")]
    [InlineData("""{"amount":1""", "$", "The body is not JSON, in line 1 at byte")]
    [InlineData("""{"amount":1,"name":"\ud800"}""", "$.name", "name must be a text.")]
    public async Task Mistake_is_told_by_the_names_of_fields(string json, string field, string told)
    {
        InvalidInputException wrong = await Should.ThrowAsync<InvalidInputException>(Read(Encoding.UTF8.GetBytes(json)));
        wrong.Field.ShouldBe(field);
        wrong.Message.ShouldContain(told);
        wrong.Message.ShouldNotContain("System.");
        wrong.Message.ShouldNotContain(nameof(Booking));
    }

    [Fact]
    public async Task Body_is_taken_with_keys_of_maps_that_differ_in_case_and_with_a_byte_order_mark()
    {
        var booking = (Booking)await Read([0xEF, 0xBB, 0xBF, .. """{"amount":5,"tags":{"a":1,"A":2},"kind":"Green"}"""u8]);
        (booking.Amount, booking.Kind, booking.Tags!.Count).ShouldBe((5, Kind.Green, 2));
    }

    [Theory]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("application/json; charset=\"UTF-8\"")]
    [InlineData("application/cloudevents+json")]
    public async Task Type_that_is_json_in_utf_8_is_taken(string type) =>
        (await Read("""{"amount":5}"""u8.ToArray(), type)).ShouldBe(new Booking { Amount = 5 });

    [Fact]
    public async Task Charset_that_is_not_utf_8_is_415() =>
        (await Should.ThrowAsync<UnsupportedBodyException>(
            Read(Encoding.Unicode.GetBytes("""{"amount":5}"""), "application/json; charset=utf-16"))).Message.ShouldContain("utf-16");

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    public async Task Compressed_body_is_read_and_what_it_inflates_to_is_bounded(string coding)
    {
        (await Read(Compress(coding, """{"amount":5}"""u8), coding: coding)).ShouldBe(new Booking { Amount = 5 });
        byte[] bomb = Compress(coding, Encoding.UTF8.GetBytes($$"""{"amount":5,"name":"{{new string('x', 10_000_000)}}"}"""));
        bomb.Length.ShouldBeLessThan((int)MaxBytes);
        (await Should.ThrowAsync<BadHttpRequestException>(Read(bomb, coding: coding))).StatusCode.ShouldBe(
            StatusCodes.Status413PayloadTooLarge);
        (await Should.ThrowAsync<InvalidInputException>(Read("{\"amount\":5}"u8.ToArray(), coding: coding))).Message.ShouldContain(
            $"not {coding}");
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("gzip, br")]
    public async Task Coding_that_is_not_read_is_415_with_those_that_are(string coding) =>
        (await Should.ThrowAsync<UnsupportedBodyException>(Read([1, 2, 3], coding: coding))).Accepted.ShouldBe("gzip, br, deflate");

    private static Task<object> Read(byte[] body, string type = "application/json", string? coding = null)
    {
        var context = new DefaultHttpContext();
        context.Request.ContentType = type;
        context.Request.Body = new MemoryStream(body);
        if (coding is not null)
            context.Request.Headers.ContentEncoding = coding;
        return JsonBody.Read(context, typeof(Booking), MaxBytes);
    }

    private static byte[] Compress(string coding, ReadOnlySpan<byte> plain)
    {
        using var compressed = new MemoryStream();
        using (Stream stream = coding switch { "gzip" => new GZipStream(compressed, CompressionLevel.Optimal), "br" =>
            new BrotliStream(compressed, CompressionLevel.Optimal), _ => new ZLibStream(compressed, CompressionLevel.Optimal) })
            stream.Write(plain);
        return compressed.ToArray();
    }

    internal enum Kind
    {
        Red,
        Green,
    }

    internal sealed record Booking
    {
        public required long Amount { get; init; }

        public Inner? Inner { get; init; }

        public Kind Kind { get; init; }

        public Dictionary<string, int>? Tags { get; init; }

        public string Name { get; init; } = "";

        public IReadOnlyList<Inner>? Lines { get; init; }

        public IReadOnlyDictionary<string, Inner>? ByName { get; init; }
    }

    internal sealed record Inner
    {
        public required DateOnly When { get; init; }
    }
}
