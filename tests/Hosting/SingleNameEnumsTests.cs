using System.Text.Json;
using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Hosting.Tests;

public sealed class SingleNameEnumsTests
{
    private enum Way
    {
        In,
        Out,
        Through,
        Back,
        back,
    }

    [Theory]
    [InlineData("\"Out\"", Way.Out)]
    [InlineData("\"out\"", Way.Out)]
    [InlineData("\"Back\"", Way.Back)]
    [InlineData("\"back\"", Way.back)]
    public void Name_is_read(string json, object way) => JsonSerializer.Deserialize<Way>(json, JsonFormat.Options).ShouldBe((Way)way);

    // "Out,Through" was 1 | 2, which is Back.
    [Theory]
    [InlineData("\"Out,Through\"")]
    [InlineData("\"Out, Through\"")]
    [InlineData("\"Out,Nowhere\"")]
    [InlineData("\"1\"")]
    [InlineData("\"\"")]
    [InlineData("\" Out\"")]
    [InlineData("\"BACK\"")]
    [InlineData("1")]
    [InlineData("null")]
    [InlineData("[\"Out\"]")]
    public void What_is_not_one_name_is_refused_and_told_the_names(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Way>(json, JsonFormat.Options)).Message.ShouldContain(
            "In, Out, Through, Back, back");

    [Fact]
    public void Name_is_written_and_a_number_without_one_is_not()
    {
        JsonSerializer.Serialize<Way?[]>([Way.Out, null], JsonFormat.Options).ShouldBe("[\"Out\",null]");
        Should.Throw<JsonException>(() => JsonSerializer.Serialize((Way)17, JsonFormat.Options));
    }

    [Fact]
    public void Key_of_a_dictionary_is_one_name_too()
    {
        JsonSerializer.Deserialize<Dictionary<Way, int>>("{\"Out\":1}", JsonFormat.Options).ShouldBe(
            new Dictionary<Way, int> { [Way.Out] = 1 });
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Dictionary<Way, int>>("{\"Out,Through\":1}", JsonFormat.Options));
    }
}
